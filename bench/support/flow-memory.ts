/**
 * How much memory the whole flow holds: an installation in a process of its own, so that nothing else counts, takes archives one by one as
 * they are made. Called by the benchmark of the whole flow.
 */
import { fork } from 'node:child_process';
import type { SimulatedCluster } from '../../src/tools/cluster-simulator/simulate-cluster.ts';
import type { BenchContext, Figure } from './benchmark.ts';
import type { FlowAnswer, FlowOrder } from './flow-process.ts';
import { askFor, endOf } from './measured-process.ts';
import { typicalCluster } from './simulated-archives.ts';
import { uploadClusters } from './upload-clusters.ts';

const megabyte = 1024 * 1024;

/** Peaks after a fifth of the archives and after all: what grows with their number shows as a difference. */
export async function measureMemory(context: BenchContext, parallel: number): Promise<Figure[]> {
  const { clock, lifecycle } = context;
  const archives = context.size(1_000, 5);
  const folder = await context.temporaryFolder();
  const { url } = await context.createDatabase();
  const child = fork(new URL('./flow-process.ts', import.meta.url), [], {
    execArgv: ['--expose-gc'],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  lifecycle.defer('process of the memory measurement', () => endOf(child));
  const start: FlowOrder = { order: 'start', folder, databaseUrl: url };
  const uploadUrl = await askFor<FlowAnswer, 'started'>(child, start, 'started');
  const figures: Figure[] = [];
  let sent = 0;
  for (const count of [archives / 5, archives]) {
    context.tell(`memory: ${count} archives`);
    sent += await uploadClusters(clustersOneByOne(context, count - sent), { ...uploadUrl, clock, parallel });
    const { mainBytes, heldBytes, runnerBytes } = await askFor<FlowAnswer, 'peak'>(
      child,
      { order: 'peak' } satisfies FlowOrder,
      'peak',
    );
    const after = (name: string, bytes: number) =>
      figures.push({ name: `after ${count} archives: ${name}`, value: bytes / megabyte, unit: 'MiB' });
    after('peak of the process', mainBytes);
    after('live objects of the process', heldBytes);
    if (runnerBytes > 0) after('peak of the largest rule runner', runnerBytes);
  }
  return figures;
}

function* clustersOneByOne({ clock, signal }: BenchContext, count: number): Generator<SimulatedCluster> {
  for (let index = 0; index < count; index += 1) {
    signal.throwIfAborted();
    yield typicalCluster(clock.uuid(), clock.now());
  }
}
