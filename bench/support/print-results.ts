/** Results as text for people: one block per benchmark, the ratio of each baseline beside its rate. */
import type { Comparison, Costs, Findings, Spread } from './benchmark.ts';

export type BenchmarkResult =
  | (Findings & { readonly name: string; readonly description: string; readonly seconds: number })
  | { readonly name: string; readonly description: string; readonly skipped: string };

const nameColumns = 58;

export function resultText(result: BenchmarkResult): string {
  const lines = [`\n${result.name}: ${result.description}`];
  if ('skipped' in result) return [...lines, `  skipped: ${result.skipped}`].join('\n');
  for (const comparison of result.comparisons) lines.push(...comparisonLines(comparison));
  if (result.figures.length > 0) lines.push('');
  for (const { name, value, unit } of result.figures)
    lines.push(`  ${name.padEnd(nameColumns)}${quantity(value).padStart(10)} ${unit}`);
  for (const reason of result.leftOut ?? []) lines.push(`  left out: ${reason}`);
  lines.push(`  (${Math.round(result.seconds)} s)`);
  return lines.join('\n');
}

function comparisonLines({ title, unit, rounds, subject, baselines }: Comparison): string[] {
  return [
    '',
    `  ${title} (${unit}/s, median of ${rounds})`,
    ...[subject, ...baselines].flatMap((measured) => [
      `    ${measured.name.padEnd(nameColumns - 2)}${quantity(measured.perSecond.median).padStart(10)}${
        'ratio' in measured ? `   ratio ${ratioText(measured.ratio as Spread)}` : ''
      }`,
      ...(measured.costs === undefined ? [] : [`      ${costsText(measured.costs)}`]),
    ]),
  ];
}

/** Processor time of one unit, and memory. */
function costsText({ cpuUs, peakMebibytes }: Costs): string {
  const parts = Object.entries({ process: cpuUs.process, children: cpuUs.children, server: cpuUs.server });
  const used = parts.filter(([name, { max }]) => name === 'process' || max > 0);
  const cpu = used.map(([name, { median }]) => `${name} ${quantity(median)}`).join(', ');
  const children = peakMebibytes.children.max > 0 ? ` + ${quantity(peakMebibytes.children.max)} of its children` : '';
  return `CPU µs: ${cpu}; peak ${quantity(peakMebibytes.process.max)} MiB${children}`;
}

/** How many times as fast as the baseline the subject is, with the least and the most of any round. */
export function ratioText({ median, min, max }: Spread): string {
  return `${quantity(median)} (${quantity(min)} … ${quantity(max)})`;
}

/** Three significant digits; whole numbers from 100 on. */
export function quantity(value: number): string {
  return value >= 100 ? String(Math.round(value)) : String(Number(value.toPrecision(3)));
}
