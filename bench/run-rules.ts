/**
 * What the rules cost once an archive is open: all of them and the report's text, against parsing every JSON file of the archive, which a
 * rule engine without lazy files does before its first rule.
 */
import { openArchive } from '../src/platform/archive/open-archive.ts';
import { allRules } from '../src/rules/catalog/index-of-rules.ts';
import { evaluateArchive } from '../src/rules/engine/evaluate-archive.ts';
import { selectRules } from '../src/rules/engine/rule.ts';
import type { BenchContext, Benchmark, Comparison } from './support/benchmark.ts';
import { readRealInput } from './support/real-inputs.ts';
import { benchFindings, typicalCluster } from './support/simulated-archives.ts';

const rules = selectRules(allRules);

type Files = ReadonlyMap<string, Buffer>;

export const benchmark: Benchmark = {
  description: 'all rules over an open archive against parsing each of its JSON files',
  async run(context) {
    const simulated = await openArchive(typicalCluster('run-rules', context.clock.now()).archive);
    const hits = evaluate(context, simulated).reports.map(({ key }) => key);
    const missed = benchFindings.find((key) => !hits.includes(key as (typeof hits)[number]));
    if (missed !== undefined) throw new Error(`the rules do not find ${missed}, so they do not do their work`);
    const comparisons = [await compareRules(context, 'a simulated archive', simulated)];
    const genuine = await readRealInput('archives/rapid-recommendations.tar.gz');
    if (genuine !== undefined)
      comparisons.push(await compareRules(context, 'a genuine archive', await openArchive(genuine)));
    return {
      comparisons,
      figures: [
        { name: 'rules', value: rules.length, unit: 'rules' },
        { name: 'JSON files of the simulated archive', value: jsonFiles(simulated).length, unit: 'files' },
      ],
    };
  },
};

async function compareRules(context: BenchContext, title: string, files: Files): Promise<Comparison> {
  const turns = context.size(50, 2);
  const repeated = (work: () => unknown) => () => {
    for (let turn = 0; turn < turns; turn += 1) work();
    return turns;
  };
  return context.compare({
    title,
    unit: 'archives',
    budgetMs: 5_000,
    subject: { name: 'evaluateArchive', run: repeated(() => JSON.stringify(evaluate(context, files))) },
    baselines: [{ name: 'JSON.parse of every JSON file', run: repeated(() => jsonFiles(files).map(parsed)) }],
  });
}

function evaluate(context: BenchContext, files: Files) {
  return evaluateArchive({ files, rules, now: context.clock.now(), clock: context.clock }).report;
}

function jsonFiles(files: Files): Buffer[] {
  return [...files].flatMap(([path, bytes]) => (path.endsWith('.json') ? [bytes] : []));
}

/** Genuine archives hold files that are called JSON and are none. */
function parsed(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    return undefined;
  }
}
