/**
 * Messages of `ccx.ocp.results` as large as real ones: 10 kB, of which 3.4 kB are kept. Five findings of our rules over a made-up cluster with
 * some more nodes and webhooks in them, and as many skipped rules as other pipelines list. The same series and numbers make the same
 * clusters, requests and kept texts, and no two are alike.
 */
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { from as copyFrom } from 'pg-copy-streams';
import { parseOcpResults } from '../../src/contracts/parse-ocp-results.ts';
import type { Report, RuleHit, SkipItem } from '../../src/contracts/report.ts';
import { serializeOcpResults, serializeReport } from '../../src/contracts/serialize-ocp-results.ts';
import { shrinkReportText } from '../../src/contracts/shrunk-report.ts';
import { TABLE_NEW_REPORTS } from '../../src/contracts/tables.ts';
import type { JsonObject } from '../../src/encoding/json-text.ts';
import type { Clock } from '../../src/platform/clock/clock.ts';
import type { Database } from '../../src/platform/database/database.ts';
import { allRules } from '../../src/rules/catalog/index-of-rules.ts';
import { evaluateArchive } from '../../src/rules/engine/evaluate-archive.ts';
import { selectRules } from '../../src/rules/engine/rule.ts';
import { simulateCluster } from '../../src/tools/cluster-simulator/simulate-cluster.ts';

const findings = [
  'CONTROL_PLANE_NODE_REPLICAS',
  'IMAGE_REGISTRY_EMPTYDIR',
  'NODES_MINIMUM_REQUIREMENTS_NOT_MET',
  'OPERATOR_UNMANAGED',
  'WEBHOOK_TIMEOUT_IS_LARGER_THAN_DEFAULT',
];
const moreNodes = 6;
const moreWebhooks = 5;
const skippedRules = 32;
/** Stands in the report where each cluster has a name of its own. */
const anyCluster = 'c0ffee';

/** What the rules found in cluster `anyCluster`. */
export function benchReport(clock: Clock): Report {
  const now = clock.now();
  const { files } = simulateCluster({ seed: 'report', now, findings });
  const { report } = evaluateArchive({ files, rules: selectRules(allRules), now, clock });
  return { ...report, reports: report.reports.map(enlarged), skips: Array.from({ length: skippedRules }, skipOf) };
}

function enlarged(hit: RuleHit): RuleHit {
  const { key, details } = hit;
  const more = (name: string, items: readonly JsonObject[]): RuleHit => {
    return { ...hit, details: { ...details, [name]: [...(details[name] as JsonObject[]), ...items] } };
  };
  if (key === 'NODES_MINIMUM_REQUIREMENTS_NOT_MET') {
    const nodeOf = (_: unknown, index: number) => {
      const name = `worker-${index}.${anyCluster}.example.internal`;
      return { name, role: 'worker', roles: 'worker', memory: 7.52, memory_req: 8 };
    };
    return more('nodes', Array.from({ length: moreNodes }, nodeOf));
  }
  if (key !== 'WEBHOOK_TIMEOUT_IS_LARGER_THAN_DEFAULT') return hit;
  const webhookOf = (_: unknown, index: number) => {
    return { name: `policy-${index}-${anyCluster}`, webhook: `check-${index}.policy.example`, timeoutSeconds: 30 };
  };
  return more('webhooks', Array.from({ length: moreWebhooks }, webhookOf));
}

function skipOf(_: unknown, index: number): SkipItem {
  return {
    rule_fqdn: `ccx_rules_ocp.external.bug_rules.bug_${1_766_000 + index * 17}.report`,
    reason: 'MISSING_REQUIREMENTS',
    details: "All: ['ccx_ocp_core.specs.must_gather.Operators'] Any: ",
    type: 'skip',
  };
}

/** One message of a cluster that nobody has seen before. */
export function reportMessage(clock: Clock, report: Report): string {
  return messagesOf(clock, report)(clock.uuid());
}

/** `series` tells these clusters and requests from those of other calls; without it nobody has seen them before. `first` is the first number. */
export function reportMessages(clock: Clock, count: number, series = clock.uuid(), first = 0): string[] {
  const message = messagesOf(clock, benchReport(clock));
  return Array.from({ length: count }, (_, index) => message(`${series} ${first + index}`));
}

/** Their reports as the writer stores them, by COPY; `updated_at` is now. */
export async function storeReportMessages(
  database: Database,
  {
    clock,
    count,
    series,
    first,
  }: { readonly clock: Clock; readonly count: number; readonly series?: string; readonly first?: number },
): Promise<void> {
  const at = clock.now().toISOString().replace('T', ' ').slice(0, -1);
  const lines = reportMessages(clock, count, series, first).map((message, index) =>
    copyLine(message, { offset: index, at }),
  );
  await database.withConnection(async ({ client }) => {
    const columns = 'org_id, account_number, cluster, report, updated_at, kafka_offset';
    await pipeline(Readable.from(lines), client.query(copyFrom(`COPY ${TABLE_NEW_REPORTS} (${columns}) FROM STDIN`)));
  });
  await database.query(`ANALYZE ${TABLE_NEW_REPORTS}`);
}

/** A row of `new_reports` as COPY reads it. */
export function copyLine(message: string, { offset, at }: { readonly offset: number; readonly at: string }): string {
  const parsed = parseOcpResults(Buffer.from(message));
  if (parsed.kind === 'refused') throw parsed.refused.error;
  const { orgId, accountNumber, clusterName, report } = parsed.report;
  const text = shrinkReportText(report).text.toString('utf8').replaceAll('\\', '\\\\');
  return `${[orgId, accountNumber, clusterName, text, at, offset].join('\t')}\n`;
}

/** Written once: what differs is put in its place, which takes less than what is measured. */
function messagesOf(clock: Clock, report: Report): (seed: string) => string {
  const now = clock.now().toISOString();
  const anyUuid = '00000000-0000-4000-8000-000000c0ffee';
  const anyRequest = `${anyCluster}0000`;
  const envelope = {
    OrgID: 1,
    ClusterName: anyUuid,
    LastChecked: now,
    Version: 2 as const,
    RequestId: anyRequest,
    Metadata: { gathering_time: `${now.slice(0, 19)}Z` },
    AccountNumber: 0,
  };
  const pieces = serializeOcpResults(envelope, serializeReport(report)).split(
    new RegExp(`(${anyUuid}|${anyRequest}|${anyCluster})`),
  );
  return (seed) => {
    const digest = createHash('sha256').update(seed).digest('hex');
    const uuid = `${digest.slice(0, 8)}-${digest.slice(8, 12)}-4${digest.slice(13, 16)}-8${digest.slice(17, 20)}-${digest.slice(20, 32)}`;
    const own: Readonly<Record<string, string>> = {
      [anyUuid]: uuid,
      [anyRequest]: digest.slice(32),
      [anyCluster]: digest.slice(0, 6),
    };
    return pieces.map((piece) => own[piece] ?? piece).join('');
  };
}
