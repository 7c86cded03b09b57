/**
 * Processes that take uploads: `ccx ingress` as its user starts it, and a bare server with the same durability. What each costs is read from
 * the system, so that neither knows that it is measured. Called by the benchmark of ingress.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePorts } from '../../scripts/kafka/start-kafka.ts';
import { baseEnvironment } from '../../test/support/base-environment.ts';
import { until } from '../../test/support/until.ts';
import type { BenchContext } from './benchmark.ts';

export interface UploadServer {
  readonly url: string;
  /** Processor time so far, of all its threads; 0 where the system does not tell. */
  cpuMs(): number;
  /** Most that was resident at any time, in MiB; 0 where the system does not tell. */
  peakMebibytes(): number;
}

/** Of the clock that `/proc` counts in, on every Linux that there is. */
const msPerTick = 10;

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
  return {
    url,
    cpuMs() {
      // The name of the process, which may hold anything, ends with the last bracket.
      const fields = procFile(child, 'stat').split(') ').at(-1)!.split(' ');
      const [user = 0, system = 0] = fields.slice(11, 13).map(Number);
      return (user + system) * msPerTick;
    },
    peakMebibytes: () => Number(/VmHWM:\s+(\d+) kB/.exec(procFile(child, 'status'))?.[1] ?? 0) / 1024,
  };
}

function procFile(child: ChildProcess, name: string): string {
  try {
    return readFileSync(`/proc/${child.pid}/${name}`, 'utf8');
  } catch {
    return '';
  }
}

async function endOf(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  await ended;
}
