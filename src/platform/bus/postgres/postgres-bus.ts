/**
 * The embedded message bus: topics as tables of the same PostgreSQL that holds everything else, with Kafka's semantics as far as our
 * services use them. It is the small install, not a broker for others; what it promises is in `bus.ts`, how each promise is kept
 * in the file that keeps it (`append.ts` order, `membership.ts` groups, `retention.ts` bounds).
 *
 * Called by `open-bus.ts`. The database belongs to the caller and stays open.
 */
import type { Clock } from '../../clock/clock.ts';
import { migrateCcx } from '../../database/ccx-migrations.ts';
import type { Database } from '../../database/database.ts';
import { createSilentTelemetry, type Telemetry } from '../../telemetry/telemetry.ts';
import type { Bus, Consumer, ConsumerOptions, Producer } from '../bus.ts';
import { closed } from '../bus-errors.ts';
import {
  leaseMsDefault,
  type PostgresBusSettings,
  recordBytesMaxDefault,
  retentionBytesDefault,
  retentionMsDefault,
} from '../bus-options.ts';
import { PostgresAdmin } from './admin.ts';
import { withBusErrors } from './bus-error-of.ts';
import { busChannel, parseHint } from './channel.ts';
import { PostgresConsumer } from './consumer.ts';
import { PostgresProducer } from './producer.ts';
import { RecordReader } from './record-reader.ts';
import { applyRetention, type RetentionReport } from './retention.ts';
import { TopicDirectory } from './storage.ts';
import * as events from './telemetry.ts';

/** Polling is the truth and NOTIFY the hint; this is how late a record may be when the hint is lost. */
const pollEveryMsDefault = 500;
/** How often each process asks whether something has to be dropped. */
const retentionEveryMsDefault = 30_000;

interface PostgresBusOptions extends Omit<PostgresBusSettings, 'kind'> {
  readonly database: Database;
  readonly clock: Clock;
  readonly telemetry?: Telemetry;
  /** How late a record may be handed out when its NOTIFY was lost. */
  readonly pollEveryMs?: number;
  /** 0: this process leaves retention to others. */
  readonly retentionEveryMs?: number;
}

/** Brings the bus's tables up, then listens for hints. Rejects with `BUS_UNREACHABLE` while the database is away. */
export async function createPostgresBus(options: PostgresBusOptions): Promise<PostgresBus> {
  await withBusErrors(() => migrateCcx(options.database, 'bus'));
  const bus = new PostgresBus(options);
  await bus.start();
  return bus;
}

export class PostgresBus implements Bus {
  readonly kind = 'postgres';
  readonly admin: PostgresAdmin;
  readonly #options: PostgresBusOptions;
  readonly #telemetry: Telemetry;
  readonly #topics: TopicDirectory;
  readonly #reader: RecordReader;
  readonly #consumers = new Set<PostgresConsumer>();
  readonly #producers = new Set<PostgresProducer>();
  #stopListening: () => Promise<void> = async () => undefined;
  #stopRetention: () => void = () => undefined;
  /** The pass under way: the caller may close the database right after the bus. */
  #retaining: Promise<unknown> = Promise.resolve();
  #closing: Promise<void> | undefined;

  constructor(options: PostgresBusOptions) {
    this.#options = options;
    this.#telemetry = options.telemetry ?? createSilentTelemetry('bus');
    this.#topics = new TopicDirectory(options.database);
    this.#reader = new RecordReader(options.database);
    this.admin = new PostgresAdmin({
      database: options.database,
      reader: this.#reader,
      topics: this.#topics,
      isClosed: () => this.#closing !== undefined,
      retentionMs: options.retentionMs ?? retentionMsDefault,
    });
  }

  async start(): Promise<void> {
    const { database, clock, retentionEveryMs = retentionEveryMsDefault } = this.#options;
    try {
      this.#stopListening = await database.listen(busChannel, (payload) => {
        const hint = parseHint(payload);
        for (const consumer of this.#consumers) consumer.onHint(hint);
      });
    } catch (error) {
      // A connection pooler may not pass LISTEN on; polling finds everything.
      events.hintsUnavailable(this.#telemetry, error);
    }
    if (retentionEveryMs > 0) {
      this.#stopRetention = clock.every(retentionEveryMs, async () => {
        await this.runRetention().catch((error) => events.retentionFailed(this.#telemetry, undefined, error));
      });
    }
  }

  async createProducer(): Promise<Producer> {
    if (this.#closing !== undefined) throw closed('bus');
    const { database, clock, recordBytesMax = recordBytesMaxDefault } = this.#options;
    const producer = new PostgresProducer({ database, clock, topics: this.#topics, recordBytesMax });
    this.#producers.add(producer);
    return producer;
  }

  async createConsumer(options: ConsumerOptions): Promise<Consumer> {
    if (this.#closing !== undefined) throw closed('bus');
    const { database, clock, leaseMs = leaseMsDefault, pollEveryMs = pollEveryMsDefault } = this.#options;
    // Asked anew: a remembered topic may be gone.
    this.#topics.forget(options.topics);
    await withBusErrors(() => this.#topics.resolve(options.topics));
    const consumer = new PostgresConsumer(options, {
      database,
      clock,
      leaseMs,
      pollEveryMs,
      reader: this.#reader,
      telemetry: this.#telemetry,
      onClosed: () => this.#consumers.delete(consumer),
    });
    // Before it joins, so that it hears of members that join right after it.
    this.#consumers.add(consumer);
    await consumer.start();
    return consumer;
  }

  async check(): Promise<void> {
    if (this.#closing !== undefined) throw closed('bus');
    await withBusErrors(async () => {
      await this.#options.database.check();
      await this.#options.database.query('SELECT FROM ccx.bus_topics LIMIT 1');
    });
  }

  /** One pass of retention, which otherwise runs by itself. */
  async runRetention(): Promise<RetentionReport> {
    const { database, retentionMs = retentionMsDefault, retentionBytes = retentionBytesDefault } = this.#options;
    const run = withBusErrors(() => applyRetention(database, this.#telemetry, { retentionMs, retentionBytes }));
    this.#retaining = run.catch(() => undefined);
    return await run;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** Consumers first, so that their partitions are free at once; producers finish what they were given. */
  async #close(): Promise<void> {
    this.#stopRetention();
    await Promise.all([...this.#consumers].map((consumer) => consumer.close()));
    await Promise.all([...this.#producers].map((producer) => producer.close()));
    await this.#stopListening();
    await this.#retaining;
  }
}
