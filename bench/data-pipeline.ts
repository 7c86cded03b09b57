/**
 * The data pipeline from announcement to published report, with files of the directory store and with links that are followed: the service
 * with its two runners on the embedded bus, against two processes that only gunzip the same archives and parse their tar streams with the
 * package `tar`. Goals with files: at most 1.5 times the processor time of those (1.8 times with all rules that there will be), at least 0.7
 * of their archives a second (0.6), and less than 400 MB in the service and its runners together; with fifty rules of a pack more at most 3
 * times the processor time.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { createServer } from 'node:http';
import { join } from 'node:path';
import {
  TOPIC_OCP_RESULTS,
  TOPIC_PAYLOAD_STATUS,
  TOPIC_PIPELINE_DEAD_LETTERS,
  TOPIC_UPLOAD_ANNOUNCE,
} from '../src/contracts/topics.ts';
import { openDirectoryStore } from '../src/platform/objects/directory/directory-store.ts';
import { announcementRecord, fromCluster } from '../test/support/announcements.ts';
import { listening } from '../test/support/test-server.ts';
import type { BenchContext, Benchmark, Comparison, Figure, Measured } from './support/benchmark.ts';
import { writeFiftyRules } from './support/fifty-rules.ts';
import { ask, endOf } from './support/measured-process.ts';
import type { PipelineOrder } from './support/pipeline-process.ts';
import { readRealInput } from './support/real-inputs.ts';
import { typicalCluster } from './support/simulated-archives.ts';
import type { UnpackOrder } from './support/unpack-process.ts';

/** Whose archives they are, in turn. */
const organizations = 7;
/** Different ones, in turn. */
const simulatedArchives = 4;

export const benchmark: Benchmark = {
  description: 'archives from announcement to published report against processes that only unpack them',
  async run(context) {
    const genuine = await readRealInput('archives/rapid-recommendations.tar.gz');
    const simulated = Array.from(
      { length: simulatedArchives },
      (_, number) => typicalCluster(`data-pipeline ${number}`, context.clock.now()).archive,
    );
    const inputs = [
      ...(genuine === undefined ? [] : [{ title: 'a genuine archive', archives: [genuine], followed: false }]),
      { title: 'simulated archives', archives: simulated, followed: false },
      { title: 'simulated archives, links followed', archives: simulated, followed: true },
      { title: 'simulated archives, a pack of 50 rules more', archives: simulated, followed: false, withPack: true },
    ];
    const comparisons: Comparison[] = [];
    for (const input of inputs) comparisons.push(await comparePipeline(context, input));
    return { comparisons, figures: comparisons.flatMap(figuresOf) };
  },
};

interface Input {
  readonly title: string;
  readonly archives: readonly Buffer[];
  /** Over HTTP, from this process. */
  readonly followed: boolean;
  /** Runs fifty rules of a pack, too. */
  readonly withPack?: boolean;
}

async function comparePipeline(
  context: BenchContext,
  { title, archives, followed, withPack }: Input,
): Promise<Comparison> {
  const count = context.size(800, 4);
  const folder = await context.temporaryFolder();
  const objects = await openDirectoryStore({ path: folder, clock: context.clock });
  context.lifecycle.defer('objects', () => objects.close());
  for (const [number, bytes] of archives.entries()) await objects.put(`archive${number}`, bytes);
  const packs = withPack === true ? [writeFiftyRules(await context.temporaryFolder())] : [];
  const pipeline = await startPipeline(context, { archives, folder, followed, packs });
  const unpacker = startProcess(context, './support/unpack-process.ts');
  const paths = Array.from({ length: count }, (_, number) => join(folder, `archive${number % archives.length}`));
  return await context.compare({
    title,
    unit: 'archives',
    subject: {
      name: 'data pipeline',
      costs: () => ({ process: pipeline.child.pid!, server: pipeline.postmaster }),
      async run() {
        await pipeline.publish(count);
        return count;
      },
    },
    baselines: [
      {
        name: 'gunzip, then tar.Parser with the contents kept, twice',
        costs: () => ({ process: unpacker.pid! }),
        async run() {
          await ask(unpacker, { paths } satisfies UnpackOrder);
          return count;
        },
      },
    ],
    rounds: 5,
    budgetMs: 18_000,
  });
}

async function startPipeline(
  context: BenchContext,
  {
    archives,
    folder,
    followed,
    packs,
  }: { readonly folder: string; readonly packs: readonly string[] } & Omit<Input, 'title'>,
) {
  const { url, database, server: postmaster } = await context.createDatabase();
  const bus = await context.engines.openBus('embedded', database);
  context.lifecycle.defer('bus', () => bus.close());
  const topics = [TOPIC_UPLOAD_ANNOUNCE, TOPIC_OCP_RESULTS, TOPIC_PAYLOAD_STATUS, TOPIC_PIPELINE_DEAD_LETTERS];
  await bus.admin.ensureTopics(topics.map((name) => ({ name, partitions: 3 })));
  const producer = await bus.createProducer();
  context.lifecycle.defer('producer', () => producer.close());
  const server = createServer((request, response) =>
    response.end(archives[Number(request.url?.slice('/archive'.length))]),
  );
  const { port, close } = await listening(server);
  context.lifecycle.defer('server of the archives', async () => close());
  const host = `127.0.0.1:${port}`;
  const child = startProcess(context, './support/pipeline-process.ts', pipelineFlags);
  await ask(child, { order: 'start', databaseUrl: url, folder, host, packs } satisfies PipelineOrder);
  let announced = 0;
  const announcement = () => {
    announced += 1;
    const number = announced % archives.length;
    return announcementRecord({
      request_id: `request${announced}`,
      url: `http://${followed ? host : 'store.invalid'}/archive${number}`,
      size: archives[number]!.length,
      ...fromCluster(1 + (announced % organizations), announced),
    });
  };
  return {
    child,
    postmaster,
    async publish(count: number) {
      const published = ask(child, { order: 'reports', count } satisfies PipelineOrder);
      await producer.send(Array.from({ length: count }, announcement));
      await published;
    },
  };
}

function figuresOf({ title, subject, baselines: [unpacked] }: Comparison): Figure[] {
  const { processPeak = 0, childrenPeak = 0 } = peaksOf(subject);
  return [
    {
      name: `${title}: CPU, with runners and without the server`,
      value: cpuOf(subject) / cpuOf(unpacked!),
      unit: 'times',
    },
    { name: `${title}: peak memory of service and runners`, value: processPeak + childrenPeak, unit: 'MB' },
  ];
}

function cpuOf({ costs }: Measured): number {
  return costs === undefined ? 0 : costs.cpuUs.process.median + costs.cpuUs.children.median;
}

function peaksOf({ costs }: Measured) {
  const megabytes = (mebibytes = 0) => (mebibytes * 1024 ** 2) / 1e6;
  return {
    processPeak: megabytes(costs?.peakMebibytes.process.max),
    childrenPeak: megabytes(costs?.peakMebibytes.children.max),
  };
}

/** As the launchers start the role. */
const pipelineFlags = ['--max-semi-space-size=8', '--v8-pool-size=1'];

/** Which keeps compiled code where the environment says so, as the launchers have it. */
function startProcess({ lifecycle, env }: BenchContext, entry: string, flags: readonly string[] = []): ChildProcess {
  const child = fork(new URL(entry, import.meta.url), [], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    execArgv: [...flags],
    env,
  });
  lifecycle.defer(`process of ${entry}`, () => endOf(child));
  return child;
}
