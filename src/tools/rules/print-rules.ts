/** What `ccx rules` shows a person, as lines. Pure. */
import { type ErrorKeyContent, totalRisk } from '../../contracts/rule-content.ts';
import type { explainRule } from '../../rules/packs/explain-rule.ts';
import type { PackFault, PackRule } from '../../rules/packs/pack.ts';
import type { CheckedArchive } from './check-archive.ts';
import type { ListedRule } from './list-rules.ts';
import type { TestedPack } from './test-pack.ts';

const riskNames = ['', 'low', 'moderate', 'important', 'critical'];

function riskText(risk: number): string {
  return `${risk} ${riskNames[risk] ?? ''}`;
}

export function listedLines({ module, audience, errorKeys, on, why, source }: ListedRule): string[] {
  const notes = [source === 'catalogue' ? '' : `pack ${source}`, why].filter((note) => note !== '');
  const head = [on ? 'on ' : 'off', audience.padEnd(8), module, ...notes.map((note) => `(${note})`)].join('  ');
  const keys = errorKeys.map(
    ({ key, totalRisk: risk }) => `     ${key}  ${risk === null ? 'without content' : riskText(risk)}`,
  );
  return [head, ...keys];
}

type ShownRule = {
  readonly key: string;
  readonly module: string;
  readonly source: string;
  readonly content: ErrorKeyContent | null;
} & Partial<Pick<PackRule, 'inputs' | 'when' | 'details'>> & { readonly file?: string };

export function ruleLines({ key, module, source, content, file, inputs, when, details }: ShownRule): string[] {
  const facts = [
    ['module', module],
    ['source', source === 'catalogue' ? source : `pack ${source}`],
    ...(file === undefined ? [] : [['file', file]]),
    ...(content === null ? [] : contentFacts(content)),
    ...(inputs ?? []).map(({ name, pattern, optional }) => ['input', `${name}${optional ? '?' : ''}  ${pattern}`]),
    ...(when === undefined ? [] : [['when', when.trim()]]),
    ...Object.entries(details ?? {}).map(([name, text]) => ['detail', `${name}  ${text.trim()}`]),
  ];
  const texts =
    content === null
      ? []
      : [
          ['reason', content.reason],
          ['resolution', content.resolution],
        ];
  return [
    content?.metadata.description ?? key,
    ...facts.map(([name = '', text = '']) => `  ${name.padEnd(10)}  ${text.replaceAll('\n', `\n${' '.repeat(14)}`)}`),
    ...texts.flatMap(([name, text = '']) => (text.trim() === '' ? [] : ['', `${name}:`, text.trim()])),
  ];
}

function contentFacts({ metadata: { impact, likelihood, tags } }: ErrorKeyContent): string[][] {
  const risk = riskText(totalRisk(impact.impact, likelihood));
  return [
    ['risk', `${risk} (impact ${impact.name} ${impact.impact}, likelihood ${likelihood})`],
    ['tags', tags.join(', ')],
  ];
}

export function checkedLines({ fires, skipped, silent, ms, gatheredAt }: CheckedArchive): string[] {
  const time = (each: number) => `${each.toFixed(1)} ms`.padStart(9);
  return [
    ...fires.flatMap((hit) => [
      `fires   ${time(hit.ms)}  ${hit.key}  ${hit.component}`,
      `                   ${cut(JSON.stringify(hit.details))}`,
    ]),
    ...skipped.map((skip) => `skipped ${time(skip.ms)}  ${skip.component}  ${skip.reason}: ${cut(skip.details)}`),
    ...silent.map((rule) => `silent  ${time(rule.ms)}  ${rule.component}`),
    `${fires.length} fire, ${silent.length} silent, ${skipped.length} skipped, as of ${gatheredAt}; opened in ${ms.open.toFixed(0)} ms, facts in ${ms.facts.toFixed(0)} ms, rules in ${ms.rules.toFixed(0)} ms`,
  ];
}

const lineCharactersMax = 300;

function cut(text: string): string {
  return text.length > lineCharactersMax ? `${text.slice(0, lineCharactersMax - 1)}…` : text;
}

export function testedLines(
  { faults, samples, untested, ok }: TestedPack,
  faultText: (fault: PackFault) => string,
): string[] {
  const wrong = samples.filter((sample) => !sample.ok).length;
  const sum = faults.length > 0 ? `${faults.length} faults` : `${samples.length} samples, ${wrong} wrong`;
  return [
    ...faults.map(faultText),
    ...samples.flatMap(({ key, title, file, line, ok: isRight, outcome, reason }) => [
      `${isRight ? 'ok   ' : 'WRONG'}  ${key}  ${title}`,
      ...(isRight ? [] : [`       ${file}:${line}: ${outcomeText(outcome)}`]),
      ...(reason === undefined ? [] : reason.split('\n').map((text) => `       ${text}`)),
    ]),
    ...untested.map((key) => `untested  ${key}: it has no sample that fires`),
    `${ok ? 'ok' : 'not ok'}: ${sum}`,
  ];
}

function outcomeText(outcome: TestedPack['samples'][number]['outcome']): string {
  if (outcome.kind === 'fires') return `it fires, with ${cut(JSON.stringify(outcome.details))}`;
  return outcome.kind === 'silent' ? 'it does not fire' : `it did not run: ${outcome.reason}: ${outcome.details}`;
}

export function explainedLines(
  key: string,
  { inputs, outcome, when, details }: ReturnType<typeof explainRule>,
): string[] {
  return [
    `${key}: ${outcomeText(outcome)}`,
    ...inputs.map(({ name, pattern, optional, paths, broken }) => {
      const found =
        paths.length === 0 ? `none${optional ? ', which may be' : ': the rule does not run'}` : `${paths.length} found`;
      return `  input ${name}  ${pattern}: ${found}${broken.length > 0 ? `, broken: ${broken.join(', ')}` : ''}`;
    }),
    ...when.map((part) => `  ${'  '.repeat(part.depth)}${partText(part)}`),
    ...Object.entries(details).map(([name, part]) => `  detail ${name}  ${part.value ?? `error: ${part.error}`}`),
  ];
}

function partText({
  part,
  value,
  error,
}: {
  readonly part: string;
  readonly value?: string;
  readonly error?: string;
}): string {
  return `${cut(part.trim().replaceAll(/\s+/g, ' '))}  =  ${value ?? `error: ${error}`}`;
}
