/** `ccx notifier` as its user starts it, following, with one target: the notifications topic of the given bus. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { freePorts } from '../../scripts/kafka/start-kafka.ts';
import { baseEnvironment } from '../../test/support/base-environment.ts';
import { until } from '../../test/support/until.ts';
import type { BenchContext } from './benchmark.ts';

export interface NotifierPlace {
  readonly databaseUrl: string;
  readonly topic: string;
  /** Undefined: the embedded bus in that database. */
  readonly brokers: readonly string[] | undefined;
}

/** Once its first run has ended; answers its process id. */
export async function startNotifier(
  { lifecycle, env }: Pick<BenchContext, 'lifecycle' | 'env'>,
  { databaseUrl, topic, brokers }: NotifierPlace,
): Promise<number> {
  const [port = 0] = await freePorts(1);
  const settings = {
    KAFKA_BROKER__TOPIC: topic,
    KAFKA_BROKER__TOTAL_RISK_THRESHOLD: '2',
    KAFKA_BROKER__TAG_FILTER_ENABLED: 'false',
    FIRST_RUN__MESSAGES: '0',
    OPERATIONS__HOST: '127.0.0.1',
    OPERATIONS__PORT: String(port),
  };
  const bus = brokers === undefined ? ['--bus', 'postgres'] : ['--bus', 'kafka', '--brokers', brokers.join(',')];
  const child = spawn(join(import.meta.dirname, '../../src/bin/ccx'), ['notifier', ...bus], {
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
  lifecycle.defer('notifier', async () => {
    if (child.exitCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    await ended;
  });
  await until(async () => {
    if (child.exitCode !== null) throw new Error(`the notifier ended with ${child.exitCode}`);
    return await fetch(`http://127.0.0.1:${port}/ready`).then(
      (answer) => answer.ok,
      () => false,
    );
  });
  return child.pid!;
}
