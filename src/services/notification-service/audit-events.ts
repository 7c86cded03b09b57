/** What the auditor found, said: a gauge per kind, a log line when the count of a kind changes, an announcement per round. */

import { errorCode, errorFields } from '../../encoding/ccx-error.ts';
import type { Clock } from '../../platform/clock/clock.ts';
import { Gauge } from '../../platform/telemetry/prometheus.ts';
import type { Telemetry } from '../../platform/telemetry/telemetry.ts';
import { type AuditResult, FINDING_KINDS, type FindingKind, invariantOf } from './decide/find-faults.ts';

export type AuditEvents = ReturnType<typeof createAuditEvents>;

export function createAuditEvents({ log, registry, announce }: Telemetry, clock: Clock) {
  const registers = [registry];
  const found = new Gauge({
    name: 'ccx_notification_audit_findings',
    help: 'What the auditor found when it last looked through everything, by kind and by the invariant that it breaks',
    labelNames: ['kind', 'invariant'],
    registers,
  });
  const rowsLooked = new Gauge({
    name: 'ccx_notification_audit_rows',
    help: 'Rows that the auditor last looked through',
    labelNames: ['of'],
    registers,
  });
  const endedAt = new Gauge({
    name: 'ccx_notification_audit_timestamp_seconds',
    help: 'When the auditor last ended a round, seconds since the epoch; 0 before the first',
    registers,
  });
  const before = new Map<FindingKind, number>();
  return {
    /** Everything was looked through; `findings` has one of each kind that there is. */
    auditEnded({ findings, counts, lookedThrough }: AuditResult): void {
      for (const { name, rows } of lookedThrough) rowsLooked.set({ of: name }, rows);
      for (const kind of Object.keys(FINDING_KINDS) as FindingKind[]) {
        const count = counts.get(kind) ?? 0;
        const invariant = invariantOf(kind);
        found.set({ kind, invariant }, count);
        const countBefore = before.get(kind) ?? 0;
        before.set(kind, count);
        if (count === countBefore) continue;
        const fields = { kind, ...(invariant === '' ? {} : { invariant }), count, before: countBefore };
        const { subject, detail } = findings.find((finding) => finding.kind === kind) ?? {};
        if (count === 0) log.info(fields, 'audit: nothing of this kind is found any more');
        else log.error({ ...fields, subject, detail }, `audit: ${FINDING_KINDS[kind].sentence}`);
      }
      endedAt.set(clock.now().getTime() / 1000);
      announce('audit-ended', { findings: [...counts.values()].reduce((sum, count) => sum + count, 0) });
    },
    auditFailed(error: unknown): void {
      log.warn(errorFields(error), 'audit: not looked through to the end; it is tried again');
      announce('audit-failed', { code: errorCode(error) });
    },
  };
}
