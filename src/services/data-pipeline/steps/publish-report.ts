/** Hop 6: the report on the results topic, acknowledged by the bus. Source: data-pipeline.md 5.2. */

import { deadLetter, done, type Outcome } from '../../../contracts/outcome.ts';
import type { Report } from '../../../contracts/report.ts';
import type { OcpResultsMessage } from '../../../contracts/serialize-ocp-results.ts';
import { serializeOcpResults } from '../../../contracts/serialize-ocp-results.ts';
import { HEADER_CATALOGUE_RULES, HEADER_CATALOGUE_VERSION } from '../../../contracts/topics.ts';
import { CcxError } from '../../../encoding/ccx-error.ts';
import { formatGatheringTime } from '../decide/gathering-time.ts';
import type { RecordSender, StepAttempt } from '../ports.ts';
import type { RuleRunResult } from '../runner/rule-run.ts';
import { sendOutcome } from '../send-outcome.ts';
import type { Upload } from '../upload.ts';

export interface PublishTools {
  readonly sender: RecordSender;
  readonly topic: string;
  readonly random: () => number;
}

export async function publishReport(
  upload: Upload,
  result: RuleRunResult,
  tools: PublishTools,
  attempt: StepAttempt,
): Promise<Outcome<OcpResultsMessage>> {
  const message: OcpResultsMessage = {
    OrgID: upload.orgId,
    ClusterName: result.clusterId,
    Report: JSON.parse(result.reportJson) as Report,
    LastChecked: upload.lastChecked,
    Version: 2,
    RequestId: upload.requestId,
    Metadata: { gathering_time: formatGatheringTime(upload.gatheredAt) },
    AccountNumber: upload.accountNumber,
  };
  let value: string;
  try {
    value = serializeOcpResults(message);
  } catch (error) {
    if (error instanceof CcxError) return deadLetter(error);
    throw error;
  }
  // The key keeps one cluster's reports in order; the reference sends none, and readers do not look at it.
  const record = {
    topic: tools.topic,
    key: message.ClusterName,
    value,
    headers: {
      [HEADER_CATALOGUE_VERSION]: result.catalogue.version,
      [HEADER_CATALOGUE_RULES]: JSON.stringify(result.catalogue.rules),
    },
  };
  const sent = await sendOutcome(() => tools.sender.send([record]), attempt.number, tools.random);
  return sent.kind === 'done' ? done(message) : sent;
}
