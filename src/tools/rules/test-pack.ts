/** `ccx rules test`: a pack's faults, and whether each of its samples does what it says, its texts filled in. */
import type { RuleContent } from '../../contracts/rule-content.ts';
import { catalogueNames } from '../../rules/catalog/catalogue-names.ts';
import { toArchiveFiles } from '../../rules/catalog/sample.ts';
import { createTemplateCompiler } from '../../rules/content/compile-template.ts';
import { renderReport } from '../../rules/content/render-report.ts';
import { createArchiveView } from '../../rules/engine/archive-view.ts';
import type { PackFault } from '../../rules/packs/pack.ts';
import { withPackContent } from '../../rules/packs/pack-content.ts';
import { readPacks } from '../../rules/packs/pack-set.ts';
import { type PackOutcome, PackProgram } from '../../rules/packs/run-packs.ts';

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

export async function testPack(folder: string, gatheredAt: Date): Promise<TestedPack> {
  const { set, faults } = await readPacks([folder], await catalogueNames());
  const rules = set.packs.flatMap((pack) => pack.rules);
  const program = new PackProgram(set.source);
  const compile = createTemplateCompiler();
  const content = Object.values(
    withPackContent({ config: { impact: {}, resolution_risk: {} }, rules: {} }, set.packs).rules,
  );
  const samples =
    faults.length > 0
      ? []
      : rules.flatMap(({ rule, samples: own }) =>
          own.map(({ title, fires, files, place: { file, line } }) => {
            const inputs = program.read(createArchiveView(toArchiveFiles(files)));
            const outcome = program.run(rule, { inputs, gatheredAt, isLost: () => false });
            const ok = outcome.kind === (fires ? 'fires' : 'silent') || (!fires && isWithoutInput(outcome));
            return { key: rule.key, title, file, line, ok, outcome, ...reasonOf(content, rule, outcome, compile) };
          }),
        );
  const untested = rules.filter((one) => !one.samples.some(({ fires }) => fires)).map(({ rule }) => rule.key);
  return { ok: faults.length === 0 && samples.every(({ ok }) => ok), faults, samples, untested };
}

/** An archive without the files that the rule is about is one on which it has nothing to say. */
function isWithoutInput(outcome: PackOutcome): boolean {
  return outcome.kind === 'skipped' && outcome.reason === 'MISSING_REQUIREMENTS';
}

function reasonOf(
  content: readonly RuleContent[],
  { module, key }: { readonly module: string; readonly key: string },
  outcome: PackOutcome,
  compile: ReturnType<typeof createTemplateCompiler>,
) {
  if (outcome.kind !== 'fires') return {};
  const details = { ...outcome.details, type: 'rule', error_key: key };
  const rendered = renderReport(content, { component: `${module}.report`, key, details }, compile);
  return { reason: rendered.kind === 'rendered' ? rendered.reason.trim() : `(${rendered.detail})` };
}
