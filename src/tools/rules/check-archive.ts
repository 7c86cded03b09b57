/** What all rules say of one archive, for `ccx rules check`: what fires, what did not run and why, and what each took. */
import { readFile } from 'node:fs/promises';
import { moduleOfComponent } from '../../contracts/rule-content.ts';
import { CcxError } from '../../encoding/ccx-error.ts';
import type { JsonObject } from '../../encoding/json-text.ts';
import { openArchive } from '../../platform/archive/open-archive.ts';
import type { Clock } from '../../platform/clock/clock.ts';
import { evaluateArchive } from '../../rules/engine/evaluate-archive.ts';
import { selectRules } from '../../rules/engine/rule.ts';
import type { InstalledRules } from './installed-rules.ts';

export interface CheckedArchive {
  readonly gatheredAt: string;
  readonly fires: readonly {
    readonly component: string;
    readonly key: string;
    readonly ms: number;
    readonly details: JsonObject;
  }[];
  readonly skipped: readonly {
    readonly component: string;
    readonly reason: string;
    readonly details: string;
    readonly ms: number;
  }[];
  /** Components of rules that ran and found nothing. */
  readonly silent: readonly { readonly component: string; readonly ms: number }[];
  readonly ms: { readonly open: number; readonly facts: number; readonly rules: number };
}

/** Rejects with code `ARCHIVE_*`, or `ARCHIVE_UNREADABLE` for a file that cannot be read. */
export async function readArchiveFile(path: string): Promise<ReadonlyMap<string, Buffer>> {
  const bytes = await readFile(path).catch((cause: unknown) => {
    const options = { code: 'ARCHIVE_UNREADABLE', category: 'input', cause } as const;
    throw new CcxError(`the archive cannot be read: ${path}`, {
      ...options,
      hint: 'name a tar.gz of the Insights Operator',
    });
  });
  return openArchive(bytes);
}

export async function checkArchive(
  path: string,
  { rules: all, selection, packs }: InstalledRules,
  { clock, gatheredAt }: { readonly clock: Clock; readonly gatheredAt: Date },
): Promise<CheckedArchive> {
  const startedMs = clock.monotonicMs();
  const files = await readArchiveFile(path);
  const openedMs = clock.monotonicMs();
  const rules = selectRules(all, selection);
  const { PackProgram } = await import('../../rules/packs/run-packs.ts');
  const program = new PackProgram(packs.source);
  const begun: { readonly module: string; readonly atMs: number }[] = [];
  const evaluationMs = clock.monotonicMs();
  const { report } = evaluateArchive({
    ...{ files, rules, packs: program, now: gatheredAt, clock },
    beforeRule: (module) => begun.push({ module, atMs: clock.monotonicMs() }),
  });
  const endedMs = clock.monotonicMs();
  const took = new Map(begun.map(({ module, atMs }, at) => [module, rounded((begun[at + 1]?.atMs ?? endedMs) - atMs)]));
  const msOf = (component: string) => took.get(moduleOfComponent(component)) ?? 0;
  const told = new Set([...report.reports, ...report.info, ...report.pass].map(({ component }) => component));
  const skipped = report.skips.map(({ rule_fqdn, reason, details }) => ({
    component: rule_fqdn,
    reason,
    details,
    ms: msOf(rule_fqdn),
  }));
  for (const { component } of skipped) told.add(component);
  const ran = [...rules, ...packs.source.rules].map(({ module }) => `${module}.report`);
  return {
    gatheredAt: gatheredAt.toISOString(),
    fires: report.reports.map(({ component, key, details }) => ({ component, key, ms: msOf(component), details })),
    skipped,
    silent: ran.filter((component) => !told.has(component)).map((component) => ({ component, ms: msOf(component) })),
    ms: {
      open: rounded(openedMs - startedMs),
      facts: rounded((begun[0]?.atMs ?? endedMs) - evaluationMs),
      rules: rounded(endedMs - (begun[0]?.atMs ?? endedMs)),
    },
  };
}

function rounded(ms: number): number {
  return Math.round(ms * 1_000) / 1_000;
}
