/** `ccx rules test`: a pack's faults, and whether each of its samples does what it says, its texts filled in. */
import type { Clock } from '../../platform/clock/clock.ts';
import { RunnerPool } from '../../platform/runner-pool/runner-pool.ts';
import { catalogueNames } from '../../rules/catalog/catalogue-names.ts';
import { toArchiveFiles } from '../../rules/catalog/sample.ts';
import { createArchiveView } from '../../rules/engine/archive-view.ts';
import type { Pack, PackFault } from '../../rules/packs/pack.ts';
import { withPackContent } from '../../rules/packs/pack-content.ts';
import { readPacks } from '../../rules/packs/pack-set.ts';
import { type PackOutcome, PackProgram } from '../../rules/packs/run-packs.ts';
import type { ReasonsJob } from './reasons-child.ts';

interface TestedSample {
  readonly key: string;
  readonly title: string;
  readonly file: string;
  readonly line: number;
  readonly ok: boolean;
  /** What came of it, and for one that fires the reason as its owners would read it. */
  readonly outcome: PackOutcome;
  readonly reason?: string;
}

export interface TestedPack {
  /** No faults, and every sample does what it says. */
  readonly ok: boolean;
  readonly faults: readonly PackFault[];
  readonly samples: readonly TestedSample[];
  /** Keys of rules without a sample that fires: nothing is known of those. */
  readonly untested: readonly string[];
}

/** Of all texts of one pack. */
const renderMsMax = 10_000;
const renderBytesMax = 256 * 1024 ** 2;

export async function testPack(
  folder: string,
  { clock, gatheredAt }: { readonly clock: Clock; readonly gatheredAt: Date },
): Promise<TestedPack> {
  const { set, faults } = await readPacks([folder], await catalogueNames());
  const rules = set.packs.flatMap((pack) => pack.rules);
  const program = new PackProgram(set.source);
  const samples =
    faults.length > 0
      ? []
      : rules.flatMap(({ rule, samples: own }) =>
          own.map(({ title, fires, files, place: { file, line } }) => {
            const inputs = program.read(createArchiveView(toArchiveFiles(files)));
            const outcome = program.run(rule, { inputs, gatheredAt, isLost: () => false });
            const ok = outcome.kind === (fires ? 'fires' : 'silent') || (!fires && isWithoutInput(outcome));
            return { key: rule.key, title, file, line, ok, outcome };
          }),
        );
  const untested = rules.filter((one) => !one.samples.some(({ fires }) => fires)).map(({ rule }) => rule.key);
  const ok = faults.length === 0 && samples.every((sample) => sample.ok);
  return { ok, faults, samples: await withReasons(samples, set.packs, clock), untested };
}

/** An archive without the files that the rule is about is one on which it has nothing to say. */
function isWithoutInput(outcome: PackOutcome): boolean {
  return outcome.kind === 'skipped' && outcome.reason === 'MISSING_REQUIREMENTS';
}

async function withReasons(
  samples: readonly TestedSample[],
  packs: readonly Pack[],
  clock: Clock,
): Promise<readonly TestedSample[]> {
  const { rules } = withPackContent({ config: { impact: {}, resolution_risk: {} }, rules: {} }, packs);
  const firing = samples.flatMap((sample) => {
    const { key, outcome } = sample;
    if (outcome.kind !== 'fires') return [];
    const component = `${rules[key]!.plugin.python_module}.report`;
    return [
      {
        sample,
        report: { component, key, details: JSON.stringify({ ...outcome.details, type: 'rule', error_key: key }) },
      },
    ];
  });
  if (firing.length === 0) return samples;
  const pool = new RunnerPool<ReasonsJob, readonly string[]>({
    module: new URL('./reasons-child.ts', import.meta.url),
    ...{ size: 1, clock, jobMsMax: renderMsMax, childBytesMax: renderBytesMax, jobsPerChildMax: 1 },
  });
  try {
    const reasons = await pool.run({ rules: Object.values(rules), reports: firing.map(({ report }) => report) });
    const bySample = new Map(firing.map(({ sample }, at) => [sample, reasons[at] ?? '']));
    return samples.map((sample) => ({ ...sample, ...(bySample.has(sample) ? { reason: bySample.get(sample)! } : {}) }));
  } finally {
    await pool.close();
  }
}
