/** Results as text for people: one block per benchmark, the ratio of each baseline beside its rate. */
import type { Comparison, Figure, Spread } from './benchmark.ts';

export type BenchmarkResult =
  | {
      readonly name: string;
      readonly description: string;
      readonly comparisons: readonly Comparison[];
      readonly figures: readonly Figure[];
      readonly seconds: number;
    }
  | { readonly name: string; readonly description: string; readonly skipped: string };

const nameColumns = 58;

export function resultText(result: BenchmarkResult): string {
  const lines = [`\n${result.name}: ${result.description}`];
  if ('skipped' in result) return [...lines, `  skipped: ${result.skipped}`].join('\n');
  for (const comparison of result.comparisons) lines.push(...comparisonLines(comparison));
  if (result.figures.length > 0) lines.push('');
  for (const { name, value, unit } of result.figures)
    lines.push(`  ${name.padEnd(nameColumns)}${quantity(value).padStart(10)} ${unit}`);
  lines.push(`  (${Math.round(result.seconds)} s)`);
  return lines.join('\n');
}

function comparisonLines({ title, unit, rounds, subject, baselines }: Comparison): string[] {
  return [
    '',
    `  ${title} (${unit}/s, median of ${rounds})`,
    `    ${subject.name.padEnd(nameColumns - 2)}${quantity(subject.perSecond.median).padStart(10)}`,
    ...baselines.map(
      ({ name, perSecond, ratio }) =>
        `    ${name.padEnd(nameColumns - 2)}${quantity(perSecond.median).padStart(10)}   ratio ${ratioText(ratio)}`,
    ),
  ];
}

/** How many times as fast as the baseline the subject is, with the least and the most of any round. */
function ratioText({ median, min, max }: Spread): string {
  return `${quantity(median)} (${quantity(min)} … ${quantity(max)})`;
}

/** Three significant digits; whole numbers from 100 on. */
export function quantity(value: number): string {
  return value >= 100 ? String(Math.round(value)) : String(Number(value.toPrecision(3)));
}
