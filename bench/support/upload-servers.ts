/**
 * Processes that take uploads: `ccx ingress` as its user starts it, and a bare server with the same durability. Called by the benchmark of ingress.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { freePorts } from '../../scripts/kafka/start-kafka.ts';
import { baseEnvironment } from '../../test/support/base-environment.ts';
import { until } from '../../test/support/until.ts';
import type { BenchContext } from './benchmark.ts';
import { type PeakMebibytes, peakMebibytes } from './costs.ts';

export interface UploadServer {
  readonly url: string;
  readonly pid: number;
  peakMebibytes(): PeakMebibytes;
}

/** `args` and `env` name the bus. `root`: another installation than this checkout. */
export async function startIngressProcess(
  context: Pick<BenchContext, 'lifecycle' | 'temporaryFolder'>,
  bus: { readonly args: readonly string[]; readonly env?: Readonly<Record<string, string>> },
  root = join(import.meta.dirname, '../..'),
): Promise<UploadServer> {
  const [port = 0, metricsPort = 0] = await freePorts(2);
  const folder = await context.temporaryFolder();
  const ports = ['--host', '127.0.0.1', '--port', String(port), '--metrics-port', String(metricsPort)];
  const child = spawn(join(root, 'src/bin/ccx'), ['ingress', ...ports, '--storage-path', folder, ...bus.args], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: {
      ...baseEnvironment(),
      INGRESS_STAGERIMPLEMENTATION: 'filebased',
      INGRESS_VALID_UPLOAD_TYPES: 'openshift',
      ...bus.env,
    },
  });
  const origin = `http://127.0.0.1:${port}`;
  return await started(context, child, { ready: `${origin}/ready`, url: `${origin}/api/ingress/v1/upload` });
}

export async function startBareServer(
  context: Pick<BenchContext, 'lifecycle' | 'temporaryFolder'>,
): Promise<UploadServer> {
  const [port = 0] = await freePorts(1);
  const entry = join(import.meta.dirname, 'bare-upload-server.ts');
  const child = spawn(process.execPath, [entry, String(port), await context.temporaryFolder()], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: baseEnvironment(),
  });
  const url = `http://127.0.0.1:${port}/`;
  return await started(context, child, { ready: url, url });
}

/** Once it answers. */
async function started(
  { lifecycle }: Pick<BenchContext, 'lifecycle'>,
  child: ChildProcess,
  { ready, url }: { readonly ready: string; readonly url: string },
): Promise<UploadServer> {
  lifecycle.defer(`server at ${url}`, () => endOf(child));
  await until(async () => {
    if (child.exitCode !== null) throw new Error(`the server at ${url} ended with ${child.exitCode}`);
    return await fetch(ready).then(
      (answer) => answer.ok,
      () => false,
    );
  });
  const pid = child.pid!;
  return { url, pid, peakMebibytes: () => peakMebibytes({ process: pid }) };
}

async function endOf(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  await ended;
}
