/**
 * What reading a report message costs the writer: checked by the reference's rules and shrunk to what the table keeps, against the plain way
 * to the same text, `JSON.parse` and `JSON.stringify` of what is left, which checks nothing.
 */
import { parseOcpResults } from '../src/contracts/parse-ocp-results.ts';
import { DROPPED_REPORT_KEYS, shrinkReportText } from '../src/contracts/shrunk-report.ts';
import type { BenchContext, Benchmark, Comparison } from './support/benchmark.ts';
import { readRealInput } from './support/real-inputs.ts';
import { benchReport, reportMessage } from './support/report-messages.ts';

export const benchmark: Benchmark = {
  description: 'reading, checking and shrinking a report message against JSON.parse and JSON.stringify',
  async run(context) {
    const ours = Buffer.from(reportMessage(context.clock, benchReport(context.clock)));
    const comparisons = [await compareReaders(context, "the pipeline's own message", ours)];
    const figures = [{ name: "the pipeline's own message", value: ours.length / 1000, unit: 'kB' }];
    const genuine = await readRealInput('messages/10_rules_hits.json');
    if (genuine !== undefined) {
      comparisons.push(await compareReaders(context, 'a genuine message, indented', genuine));
      const compact = Buffer.from(JSON.stringify(JSON.parse(genuine.toString('utf8'))));
      comparisons.push(await compareReaders(context, 'the same without white space', compact));
      figures.push({ name: 'the genuine message, indented', value: genuine.length / 1000, unit: 'kB' });
    }
    return { comparisons, figures };
  },
};

async function compareReaders(context: BenchContext, title: string, value: Buffer): Promise<Comparison> {
  const turns = context.size(5_000, 20);
  const repeated = (work: () => unknown) => () => {
    for (let turn = 0; turn < turns; turn += 1) work();
    return turns;
  };
  if (!sameJson(readAsWriter(value), readAsJson(value))) throw new Error('the two ways end with different reports');
  return context.compare({
    title,
    unit: 'messages',
    budgetMs: 5_000,
    subject: { name: 'parseOcpResults and shrinkReportText', run: repeated(() => readAsWriter(value)) },
    baselines: [{ name: 'JSON.parse and JSON.stringify', run: repeated(() => readAsJson(value)) }],
  });
}

function readAsWriter(value: Buffer): Buffer {
  const parsed = parseOcpResults(value);
  if (parsed.kind === 'refused') throw parsed.refused.error;
  return shrinkReportText(parsed.report.report).text;
}

function readAsJson(value: Buffer): Buffer {
  const { Report: report } = JSON.parse(value.toString('utf8')) as { Report: Record<string, unknown> };
  const kept = Object.entries(report).filter(([key]) => !DROPPED_REPORT_KEYS.has(key));
  return Buffer.from(JSON.stringify(Object.fromEntries(kept)));
}

/** The order of members is each way's own. */
function sameJson(left: Buffer, right: Buffer): boolean {
  const members = (text: Buffer) =>
    Object.entries(JSON.parse(text.toString('utf8')) as object).sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify(members(left)) === JSON.stringify(members(right));
}
