/** The texts of packs as rule content, beside those of the catalogue: nobody who reads content needs to know of packs. */
import type { ErrorKeyContent, RuleContent, RuleContentDirectory } from '../../contracts/rule-content.ts';
import type { LoadedPackRule, Pack } from './pack.ts';

/** As the hosted content calls what its rules are about. */
const productCode = 'OCP4';

/** The same directory where there are no packs. A rule of a pack is found by its key, as any rule is by the last part of its module. */
export function withPackContent(directory: RuleContentDirectory, packs: readonly Pack[]): RuleContentDirectory {
  if (packs.every(({ rules }) => rules.length === 0)) return directory;
  const { impact } = directory.config;
  const rules = packs.flatMap((pack) =>
    pack.rules.map((rule) => [rule.rule.key, contentOf(rule, pack, impact)] as const),
  );
  return { ...directory, rules: { ...directory.rules, ...Object.fromEntries(rules) } };
}

function contentOf(
  { rule, texts }: LoadedPackRule,
  { owner }: Pack,
  impacts: Readonly<Record<string, number>>,
): RuleContent {
  const { title, impact, likelihood, publishDate, ...rest } = texts;
  const { summary, generic, reason, resolution, more_info } = rest;
  const common = { summary, generic, reason, resolution, more_info, HasReason: true };
  const impactNumber = Object.hasOwn(impacts, impact) ? (impacts[impact] ?? 0) : 0;
  const key: ErrorKeyContent = {
    metadata: {
      description: title,
      impact: { name: impact, impact: impactNumber },
      likelihood,
      publish_date: publishDate,
      resolution_risk: 0,
      status: 'active',
      tags: rule.tags,
    },
    total_risk: 0,
    ...common,
  };
  return {
    plugin: {
      name: `${generic.split('\n')[0]} (${owner})`,
      node_id: '',
      product_code: productCode,
      python_module: rule.module,
    },
    error_keys: { [rule.key]: key },
    ...common,
  };
}
