/** The work of `ccx notifications audit`, loaded only where it is asked for: what was found, as a person and as a program reads it. */
import { createSystemClock } from '../../platform/clock/clock.ts';
import type { Database } from '../../platform/database/database.ts';
import { auditOnce } from './auditor.ts';
import { print } from './command-database.ts';
import { type AuditResult, FINDING_KINDS, type Finding, type FindingKind, invariantOf } from './decide/find-faults.ts';
import { notificationsExitCodes } from './exit-codes.ts';
import { type ReceiverNames, targetName } from './format-explanation.ts';
import { readReceiverNames } from './store/targets.ts';
import { createTimeSource, serverMicros } from './timestamps.ts';

/** Of each kind of findings that are shown one by one. */
const findingsUsual = 10;
const findingsOfJson = 1_000;

/** Prints what was found; answers the exit code. */
export async function runAudit(
  database: Database,
  {
    json,
    ...what
  }: Pick<Parameters<typeof auditOnce>[1], 'overdueMs' | 'retryWindowMs' | 'targets' | 'msMax'> & {
    readonly json: boolean;
  },
): Promise<number> {
  const clock = createSystemClock();
  const time = createTimeSource(clock, 'database');
  await time.synchronize(() => serverMicros(database));
  const result = await auditOnce(database, {
    ...{ ...what, clock, nowMicros: time.nowMicros() },
    findingsMax: json ? findingsOfJson : findingsUsual,
  });
  const receivers = await readReceiverNames(database);
  print(json ? JSON.stringify(asJson(result, receivers)) : formatAudit(result, receivers));
  if (result.counts.size > 0) return notificationsExitCodes.findings;
  return isComplete(result) ? 0 : notificationsExitCodes.notComplete;
}

function isComplete({ lookedThrough }: AuditResult): boolean {
  return lookedThrough.every(({ complete }) => complete);
}

function asJson(result: AuditResult, receivers: ReceiverNames) {
  const findings = result.findings.map(({ kind, eventTargetId, ...finding }) => ({
    ...{ kind, invariant: invariantOf(kind) || null, target: targetName(eventTargetId, receivers) },
    ...finding,
  }));
  const { lookedThrough, counts } = result;
  return { findings, counts: Object.fromEntries(counts), lookedThrough, complete: isComplete(result) };
}

function formatAudit(result: AuditResult, receivers: ReceiverNames): string {
  const findings = Map.groupBy(result.findings, ({ kind }) => kind);
  const parts = [...result.counts].map(([kind, count]) =>
    formatKind(kind, count, { findings: findings.get(kind) ?? [], receivers }),
  );
  const looked = result.lookedThrough.map(
    ({ name, rows, complete }) => `  ${String(rows).padStart(9)}  ${name}${complete ? '' : ', not to the end'}`,
  );
  return [...parts, ...(parts.length === 0 ? ['nothing was found'] : []), '', 'looked through', ...looked].join('\n');
}

function formatKind(
  kind: FindingKind,
  count: number,
  { findings, receivers }: { readonly findings: readonly Finding[]; readonly receivers: ReceiverNames },
): string {
  const lines = findings.map(
    ({ subject, eventTargetId, cluster, detail }) =>
      `  ${subject}  ${targetName(eventTargetId, receivers)}  ${cluster}  ${detail}`,
  );
  const more = count > findings.length ? [`  … and ${count - findings.length} more`] : [];
  const invariant = invariantOf(kind);
  return [
    `${invariant === '' ? '' : `${invariant} `}${kind} (${count}): ${FINDING_KINDS[kind].sentence}`,
    ...lines,
    ...more,
  ].join('\n');
}
