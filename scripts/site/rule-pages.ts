/** The rule catalogue as pages: one for each rule with what its owners read, and a table of all. */
import { type RuleContent, totalRiskOf } from '../../src/contracts/rule-content.ts';
import { CATALOG_CONTENT_ROOT } from '../../src/rules/catalog/content-root.ts';
import { allRules } from '../../src/rules/catalog/index-of-rules.ts';
import { loadContent } from '../../src/rules/content/load-content.ts';
import type { Rule } from '../../src/rules/engine/rule.ts';
import { readSourceTree } from '../docs/source-tree.ts';
import type { SitePage } from './site-pages.ts';

const riskNames = ['', 'low', 'moderate', 'important', 'critical'];

export async function renderRulePages(): Promise<readonly SitePage[]> {
  const { directory: content } = await loadContent(CATALOG_CONTENT_ROOT);
  const riskOf = (rule: Rule, key: string) => {
    const risk = totalRiskOf(content, `${rule.module}.report`, key);
    return risk === undefined ? '' : `${risk} (${riskNames[risk]})`;
  };
  const table = allRules.map((rule) => {
    const keys = rule.errorKeys.map((key) => `\`${key}\`, ${riskOf(rule, key)}`).join('; ');
    return `| [${nameOf(rule)}](./${pageOf(rule)}.md) | ${audienceOf(rule)} | ${keys} | ${rule.mark ?? 'always'} |`;
  });
  const index: SitePage = {
    ...{ name: 'rules', title: 'Rule catalogue', group: 'Rules' },
    text: [
      '# Rule catalogue',
      '',
      `${allRules.length} rules. How one is made: [rules](src/rules/README.md).`,
      '',
      '| rule | tells | error keys, total risk | runs |',
      '|---|---|---|---|',
      ...table,
      '',
    ].join('\n'),
  };
  return [index, ...allRules.map((rule) => rulePage(rule, content.rules[nameOf(rule)], riskOf))];
}

function rulePage(rule: Rule, content: RuleContent | undefined, riskOf: (rule: Rule, key: string) => string): SitePage {
  const source = [...readSourceTree().keys()].find((path) => path.endsWith(`/${nameOf(rule)}/rule.ts`));
  const keys = rule.errorKeys.map((key) => {
    const metadata = content?.error_keys[key]?.metadata;
    const description = metadata?.description.replaceAll('|', '\\|') ?? '';
    return `| \`${key}\` | ${code(description)} | ${riskOf(rule, key)} | ${metadata?.tags.join(', ') ?? ''} |`;
  });
  const facts = [...rule.requires, ...rule.requiresAny.map((group) => group.join(' or '))];
  return {
    ...{ name: pageOf(rule), title: nameOf(rule), group: 'Rules' },
    text: [
      `# ${nameOf(rule)}`,
      '',
      `\`${rule.module}\`; tells ${audienceOf(rule)}; ${rule.mark === undefined ? 'runs always' : `runs where ${rule.mark} rules are asked for`}. ` +
        `[Its source](${source}).`,
      '',
      facts.length === 0
        ? 'It asks for no facts.'
        : `It asks for these facts: ${facts.map((fact) => `\`${fact}\``).join(', ')}.`,
      ...(keys.length > 0
        ? ['', '| error key | what owners read | total risk | tags |', '|---|---|---|---|', ...keys]
        : []),
      ...textsOf(content),
      '',
    ].join('\n'),
  };
}

/** As they are written, templates included: they are shown and not rendered. */
function textsOf(content: RuleContent | undefined): string[] {
  if (content === undefined) return [];
  const of = (texts: Pick<RuleContent, 'summary' | 'generic' | 'reason' | 'resolution' | 'more_info'>, level: string) =>
    (['summary', 'generic', 'reason', 'resolution', 'more_info'] as const)
      .filter((name) => texts[name].trim() !== '')
      .flatMap((name) => ['', `${level} ${name.replace('_', ' ')}`, '', '````', texts[name].trim(), '````']);
  return [
    ...of(content, '##'),
    ...Object.entries(content.error_keys).flatMap(([key, texts]) => {
      const own = of(texts, '###');
      return own.length === 0 ? [] : ['', `## ${key}`, ...own];
    }),
  ];
}

function code(text: string): string {
  return text === '' ? '' : `\`${text.replaceAll('`', "'")}\``;
}

function nameOf({ module }: Rule): string {
  return module.slice(module.lastIndexOf('.') + 1);
}

function pageOf(rule: Rule): string {
  return `rule-${nameOf(rule)}`;
}

function audienceOf(rule: Rule): string {
  if (rule.errorKeys.length === 0) return 'nobody';
  return rule.module.split('.').includes('internal') ? 'those who run the fleet' : "the cluster's owners";
}
