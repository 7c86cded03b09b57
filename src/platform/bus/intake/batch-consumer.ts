/**
 * What the services that store what they read (notification writer, payload tracker) have in common around their batch intake: what they
 * say of it, how it is opened on a topic and stopped, when they are ready and idle, and the cleaning that runs beside it. `service.ts`
 * and `telemetry.ts` of either service add what is its own.
 */

import type { Counter } from 'prom-client';
import { type CcxError, errorFields } from '../../../encoding/ccx-error.ts';
import type { Clock } from '../../clock/clock.ts';
import type { Database } from '../../database/database.ts';
import { Health } from '../../lifecycle/health.ts';
import type { Lifecycle } from '../../lifecycle/lifecycle.ts';
import type { Telemetry } from '../../telemetry/telemetry.ts';
import { type Bus, type BusRecord, hasReadEverything, type Position, type TopicPartition } from '../bus.ts';
import { bufferedBytesMaxDefault } from '../bus-options.ts';
import { offsetsCommitted } from '../telemetry.ts';
import { type BatchBounds, type BatchControl, BatchIntake, type FinishBatch } from './batch-intake.ts';
import { watchLag } from './consumer-lag.ts';

/** What such a service is started with; whoever starts it closes bus and database after it has stopped. */
export interface BatchServiceDependencies {
  readonly bus: Bus;
  readonly database: Database;
  readonly telemetry: Telemetry;
  readonly clock: Clock;
}

/** `lost` is what the log says of partitions that were taken away. */
export function batchConsumerEvents(telemetry: Telemetry, retries: Counter<'step' | 'code'>, lost: string) {
  const { log } = telemetry;
  return {
    offsetsCommitted(positions: readonly Position[]): void {
      offsetsCommitted(telemetry, positions);
    },
    warned(warning: string): void {
      log.warn(warning);
    },
    stepRetried(step: string, error: CcxError, afterMs: number): void {
      retries.inc({ step, code: error.code });
      log.warn(
        { step, ...errorFields(error), hint: error.hint, afterMs: Math.round(afterMs) },
        'step failed, trying again; nothing behind it is acknowledged',
      );
      telemetry.announce('step-retried', { step, code: error.code });
    },
    partitionsLost(partitions: readonly TopicPartition[]): void {
      log.info({ partitions }, lost);
    },
    /** Something that is not an expected failure: a bug of ours. Work goes on after a pause. */
    unexpectedFailure(doing: string, error: unknown): void {
      log.error({ doing, stack: error instanceof Error ? error.stack : String(error) }, 'unexpected failure');
      telemetry.announce('unexpected-failure', { doing });
    },
    stopFailed(what: string, error: string): void {
      log.error({ what, error }, 'did not stop cleanly');
    },
  };
}

interface BatchConsumerSettings {
  readonly topic: string;
  readonly groupId: string;
  readonly startAt: 'earliest' | 'latest';
  readonly batch: BatchBounds;
}

interface BatchConsumerWork {
  readonly events: ReturnType<typeof batchConsumerEvents>;
  /** See `BatchIntake`. */
  readonly begin: (records: readonly BusRecord[], control: BatchControl) => Promise<FinishBatch>;
}

/** Joins the group; nothing is taken before `start`. Stops with the lifecycle. Rejects with the bus's code. */
export async function openBatchConsumer(
  { topic, groupId, startAt, batch }: BatchConsumerSettings,
  { bus, database, telemetry, clock }: BatchServiceDependencies,
  { events, begin }: BatchConsumerWork,
  lifecycle: Lifecycle,
) {
  const health = new Health();
  const intake = new BatchIntake({ clock, events, health, bounds: batch, begin });
  const onRevoked = (partitions: readonly TopicPartition[]) => intake.partitionsLost(partitions);
  const consumer = await bus.createConsumer({
    ...{ groupId, topics: [topic], startAt, onRevoked },
    // One batch is being stored, one is judged, and this much is there for the next.
    bufferedBytesMax: Math.min(batch.bytesMax, bufferedBytesMaxDefault),
  });
  lifecycle.defer('consumer', () => consumer.close());
  lifecycle.defer('intake', () => intake.stop());
  const lag = watchLag({ bus, consumer, topic, groupId, startAt, clock, registry: telemetry.registry });
  lifecycle.defer('lag', () => lag.stop());
  const probes = { database: () => database.check(), bus: () => bus.check() };
  return {
    health,
    start: () => intake.start(consumer),
    readiness: () => health.probed(probes, clock),
    state: async () => ({ lag: lag.lags() }),
    idle: async () => intake.idle() && (await hasReadEverything(bus, groupId, [topic])) && intake.idle(),
    stop: async () => {
      const report = await lifecycle.stop();
      for (const { name, error } of report.failed) events.stopFailed(name, error);
    },
  };
}

/** How often rows are removed that nobody needs any more. */
const cleaningEveryMs = 10 * 60_000;

/** Answers with its stop function, which waits for the pass under way: the caller closes the database next. */
export function startCleaning(clock: Clock, clean: (signal: AbortSignal) => Promise<void>): () => Promise<void> {
  const stopping = new AbortController();
  let pass: Promise<void> = Promise.resolve();
  const stopTimer = clock.every(cleaningEveryMs, () => {
    pass = clean(stopping.signal);
    return pass;
  });
  return async () => {
    stopTimer();
    stopping.abort();
    await pass;
  };
}
