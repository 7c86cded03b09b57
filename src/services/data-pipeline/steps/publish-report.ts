/** Hop 6: the report on the results topic, acknowledged by the bus. Source: data-pipeline.md 5.2. */

import { type OcpResultsEnvelope, serializeOcpResults } from '../../../contracts/serialize-ocp-results.ts';
import { HEADER_CATALOGUE_RULES, HEADER_CATALOGUE_VERSION } from '../../../contracts/topics.ts';
import { CcxError } from '../../../encoding/ccx-error.ts';
import type { RecordSender } from '../../../platform/bus/bus.ts';
import { busFailure, isRefusedRecord } from '../../../platform/bus/intake/dead-letter-records.ts';
import { deadLetter, done, retry, type StepAnswer, type StepAttempt } from '../../../platform/bus/intake/step.ts';
import { formatGatheringTime } from '../decide/gathering-time.ts';
import type { RuleRunResult } from '../runner/rule-run.ts';
import type { Upload } from '../upload.ts';

export interface PublishDependencies {
  readonly sender: RecordSender;
  readonly topic: string;
}

export async function publishReport(
  upload: Upload,
  result: RuleRunResult,
  dependencies: PublishDependencies,
  attempt: StepAttempt,
): Promise<StepAnswer<OcpResultsEnvelope>> {
  const envelope: OcpResultsEnvelope = {
    OrgID: upload.orgId,
    ClusterName: result.clusterId,
    LastChecked: upload.lastChecked,
    Version: 2,
    RequestId: upload.requestId,
    Metadata: { gathering_time: formatGatheringTime(upload.gatheredAt) },
    AccountNumber: upload.accountNumber,
  };
  let value: string;
  try {
    value = serializeOcpResults(envelope, result.reportText);
  } catch (error) {
    if (error instanceof CcxError) return deadLetter(error);
    throw error;
  }
  // The key keeps one cluster's reports in order; the reference sends none, and readers do not look at it.
  const record = {
    topic: dependencies.topic,
    key: envelope.ClusterName,
    value,
    headers: {
      [HEADER_CATALOGUE_VERSION]: result.catalogue.version,
      [HEADER_CATALOGUE_RULES]: JSON.stringify(result.catalogue.rules),
    },
  };
  try {
    await dependencies.sender.send([record]);
    return done(envelope);
  } catch (error) {
    return isRefusedRecord(error) ? deadLetter(error) : retry(busFailure(error), attempt.retryMs);
  }
}
