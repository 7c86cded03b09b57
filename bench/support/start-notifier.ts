/** `ccx notifier` as its user starts it, following or once, with one target: the notifications topic of the given bus. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { freePorts } from '../../scripts/kafka/start-kafka.ts';
import { baseEnvironment } from '../../test/support/base-environment.ts';
import { until } from '../../test/support/until.ts';
import type { BenchContext } from './benchmark.ts';
import { peakMebibytes } from './costs.ts';

export interface NotifierPlace {
  readonly databaseUrl: string;
  readonly topic: string;
  /** Undefined: the embedded bus in that database. */
  readonly brokers: readonly string[] | undefined;
}

export interface StartedNotifier {
  readonly pid: number;
  stop(): Promise<void>;
}

/** Once its first run has ended. */
export async function startNotifier(
  { lifecycle, env }: Pick<BenchContext, 'lifecycle' | 'env'>,
  place: NotifierPlace,
): Promise<StartedNotifier> {
  const [port = 0] = await freePorts(1);
  const child = spawnNotifier(place, { env, port, flags: [] });
  const stop = async () => {
    if (child.exitCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    await ended;
  };
  lifecycle.defer('notifier', stop);
  await until(async () => {
    if (child.exitCode !== null) throw new Error(`the notifier ended with ${child.exitCode}`);
    return await fetch(`http://127.0.0.1:${port}/ready`).then(
      (answer) => answer.ok,
      () => false,
    );
  });
  return { pid: child.pid!, stop };
}

const lookEveryMs = 100;

/** One run over all clusters; resolves to the most that was resident. */
export async function runNotifierOnce(
  { clock, env }: Pick<BenchContext, 'clock' | 'env'>,
  place: NotifierPlace,
): Promise<{ readonly peakMebibytes: number }> {
  const child = spawnNotifier(place, { env, port: 0, flags: ['--once'] });
  let peak = 0;
  while (child.exitCode === null && child.signalCode === null) {
    peak = Math.max(peak, peakMebibytes({ process: child.pid! }).process);
    await clock.sleep(lookEveryMs);
  }
  if (child.exitCode !== 0) throw new Error(`the notifier ended with ${child.exitCode ?? child.signalCode}`);
  return { peakMebibytes: peak };
}

function spawnNotifier(
  { databaseUrl, topic, brokers }: NotifierPlace,
  { env, port, flags }: Pick<BenchContext, 'env'> & { readonly port: number; readonly flags: readonly string[] },
): ChildProcess {
  const settings = {
    KAFKA_BROKER__TOPIC: topic,
    KAFKA_BROKER__TOTAL_RISK_THRESHOLD: '2',
    KAFKA_BROKER__TAG_FILTER_ENABLED: 'false',
    FIRST_RUN__MESSAGES: '0',
    OPERATIONS__HOST: '127.0.0.1',
    OPERATIONS__PORT: String(port),
  };
  const bus = brokers === undefined ? ['--bus', 'postgres'] : ['--bus', 'kafka', '--brokers', brokers.join(',')];
  return spawn(join(import.meta.dirname, '../../src/bin/ccx'), ['notifier', ...bus, ...flags], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: {
      ...baseEnvironment(),
      ...(env['NODE_OPTIONS'] === undefined ? {} : { NODE_OPTIONS: env['NODE_OPTIONS'] }),
      CCX_DATABASE_URL: databaseUrl,
      ...Object.fromEntries(
        Object.entries(settings).map(([key, value]) => [`CCX_NOTIFICATION_SERVICE__${key}`, value]),
      ),
    },
  });
}
