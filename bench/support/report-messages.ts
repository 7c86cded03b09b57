/** Messages of `ccx.ocp.results` as the data pipeline sends them: our rules over a made-up cluster, the report under many clusters' names. */
import type { Report } from '../../src/contracts/report.ts';
import { serializeOcpResults, serializeReport } from '../../src/contracts/serialize-ocp-results.ts';
import type { Clock } from '../../src/platform/clock/clock.ts';
import { allRules } from '../../src/rules/catalog/index-of-rules.ts';
import { evaluateArchive } from '../../src/rules/engine/evaluate-archive.ts';
import { simulateCluster } from '../../src/tools/cluster-simulator/simulate-cluster.ts';
import { benchFindings } from './simulated-archives.ts';

export function benchReport(clock: Clock): Report {
  const now = clock.now();
  const { files } = simulateCluster({ seed: 'report', now, findings: benchFindings });
  return evaluateArchive({ files, rules: allRules, now, clock }).report;
}

export function reportMessage(clock: Clock, report: Report): string {
  const now = clock.now().toISOString();
  const envelope = {
    OrgID: 1,
    ClusterName: clock.uuid(),
    LastChecked: now,
    Version: 2 as const,
    RequestId: clock.uuid().replaceAll('-', ''),
    Metadata: { gathering_time: `${now.slice(0, 19)}Z` },
    AccountNumber: 0,
  };
  return serializeOcpResults(envelope, serializeReport(report));
}

export function reportMessages(clock: Clock, count: number): string[] {
  const report = benchReport(clock);
  return Array.from({ length: count }, () => reportMessage(clock, report));
}
