/** `ccx writer` as its user starts it, on topics of its own, with a backlog that it may be kept from. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Bus } from '../../src/platform/bus/bus.ts';
import { baseEnvironment } from '../../test/support/base-environment.ts';
import type { BenchContext } from './benchmark.ts';

const partitions = 3;
/** Messages of one send. */
const sentAtOnce = 500;
/** A look at where the writer is costs a request; the end of a round is known to this. */
const lookEveryMs = 20;

export interface WriterPlace {
  readonly databaseUrl: string;
  readonly bus: Bus;
  /** Of Kafka; empty: the embedded bus in that database. */
  readonly brokers: readonly string[];
}

export interface StartedWriter {
  readonly pid: number;
  /** SIGSTOP, and SIGCONT. */
  pause(): void;
  goOn(): void;
  send(messages: readonly string[]): Promise<void>;
  /** Everything that was sent is stored, and its positions are committed. */
  untilStored(): Promise<void>;
  stop(): Promise<void>;
}

export async function startWriter(
  { clock, lifecycle }: Pick<BenchContext, 'clock' | 'lifecycle'>,
  { databaseUrl, bus, brokers }: WriterPlace,
): Promise<StartedWriter> {
  const name = `bench.${clock.uuid()}`;
  const [topic, statuses] = [`${name}.in`, `${name}.status`];
  await bus.admin.ensureTopics([topic, statuses].map((one) => ({ name: one, partitions })));
  const producer = await bus.createProducer();
  const child = spawn(join(import.meta.dirname, '../../src/bin/ccx'), ['writer'], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: {
      ...baseEnvironment(),
      CCX_DATABASE_URL: databaseUrl,
      CCX_NOTIFICATION_WRITER__BROKER__ADDRESSES: brokers.join(','),
      CCX_NOTIFICATION_WRITER__BROKER__TOPIC: topic,
      CCX_NOTIFICATION_WRITER__BROKER__GROUP: name,
      CCX_NOTIFICATION_WRITER__DEAD_LETTERS__TOPIC: `${name}.dead`,
      CCX_NOTIFICATION_WRITER__TRACKER__TOPIC: statuses,
      CCX_NOTIFICATION_WRITER__METRICS__ADDRESS: 'none',
    },
  });
  let sent = 0;
  const committed = async () => {
    const lags = await bus.admin.lag(name, [topic]);
    return lags.reduce((sum, lag) => sum + Number(lag.committed ?? 0n), 0);
  };
  const stop = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGCONT');
    child.kill('SIGTERM');
    await ended;
  };
  lifecycle.defer('writer', stop);
  return {
    pid: child.pid!,
    pause: () => void child.kill('SIGSTOP'),
    goOn: () => void child.kill('SIGCONT'),
    async send(messages) {
      for (let first = 0; first < messages.length; first += sentAtOnce) {
        const some = messages.slice(first, first + sentAtOnce);
        await producer.send(some.map((value, index) => ({ topic, key: `${sent + first + index}`, value })));
      }
      sent += messages.length;
    },
    async untilStored() {
      while ((await committed()) < sent) {
        if (child.exitCode !== null) throw new Error(`the writer ended with ${child.exitCode}`);
        await clock.sleep(lookEveryMs);
      }
    },
    stop,
  };
}
