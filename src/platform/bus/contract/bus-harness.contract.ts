/**
 * What an adapter brings to the contract suite, and the few helpers that its cases share. The suite knows nothing of PostgreSQL or
 * Kafka: faults that only the adapter can make are hooks here.
 */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import type { Bus, BusRecord, Consumer, ConsumerOptions, OutgoingRecord, Position, RecordHeader } from '../bus.ts';

export interface FaultyBus {
  readonly bus: Bus;
  /** Breaks its connections and refuses new ones, until `restore`: to everybody else this process has died. */
  cut(): void;
  /** Keeps its connections open and lets nothing through, until `restore`: a process that hangs. */
  freeze(): void;
  restore(): void;
}

export interface HeldTransaction {
  commit(): Promise<void>;
  rollback(): Promise<void>;
}

export interface BusHarness {
  /** A bus as another process would open it. The harness closes it at the end of the suite if the case did not. */
  openBus(): Promise<Bus>;
  /** One whose way to the server can be broken. One at a time. */
  openFaultyBus(): Promise<FaultyBus>;
  /** A producer that has taken the next offset of partition 0 for `value` and has not ended its transaction. */
  holdTransaction?(topic: string, value: string): Promise<HeldTransaction>;
  /** Title of a case → why it cannot be asked of this adapter. */
  readonly notApplicable?: Readonly<Record<string, string>>;
  close(): Promise<void>;
}

export interface ContractContext {
  readonly harness: () => BusHarness;
}

/** Registers one case; its bus is closed afterwards, and with it every consumer and producer that the case left open. */
export function contractCase(context: ContractContext, title: string, run: (bus: Bus) => Promise<void>): void {
  test(title, async (t) => {
    const reason = context.harness().notApplicable?.[title];
    if (reason !== undefined) {
      t.skip(`not applicable: ${reason}`);
      return;
    }
    const bus = await context.harness().openBus();
    try {
      await run(bus);
    } finally {
      await bus.close();
    }
  });
}

/** A topic nobody else uses. */
export async function createTopic(bus: Bus, partitions = 1): Promise<string> {
  const name = `contract-${randomUUID()}`;
  await bus.admin.ensureTopics([{ name, partitions }]);
  return name;
}

export function uniqueGroup(): string {
  return `group-${randomUUID()}`;
}

/** How long a case waits for something that must happen; generous, because it ends as soon as it does. */
export const waitMsMax = 60_000;

export async function send(bus: Bus, records: readonly OutgoingRecord[]): Promise<readonly Position[]> {
  const producer = await bus.createProducer();
  try {
    return await producer.send(records);
  } finally {
    await producer.close();
  }
}

export async function subscribe(bus: Bus, topic: string, options: Partial<ConsumerOptions> = {}): Promise<Consumer> {
  return await bus.createConsumer({ groupId: uniqueGroup(), topics: [topic], startAt: 'earliest', ...options });
}

/** Polls until `count` records came. */
export async function take(consumer: Consumer, count: number): Promise<BusRecord[]> {
  const records: BusRecord[] = [];
  const deadline = performance.now() + waitMsMax;
  while (records.length < count) {
    const left = deadline - performance.now();
    assert.ok(left > 0, `only ${records.length} of ${count} records came: ${texts(records).slice(0, 20)}`);
    records.push(...(await consumer.poll({ recordsMax: count - records.length, waitMs: Math.min(left, 1_000) })));
  }
  return records;
}

/** Polls `consumers` in turn, and throws away what they get, until the condition holds. */
export async function pollUntil(
  consumers: readonly Consumer[],
  condition: () => boolean | Promise<boolean>,
): Promise<void> {
  const deadline = performance.now() + waitMsMax;
  while (!(await condition())) {
    assert.ok(performance.now() < deadline, 'the condition never held');
    for (const consumer of consumers) await consumer.poll({ recordsMax: 1, waitMs: 50 });
  }
}

/** Nothing more comes within one poll. */
export async function assertDrained(consumer: Consumer): Promise<void> {
  assert.deepEqual(texts(await consumer.poll({ recordsMax: 10, waitMs: 300 })), []);
}

export async function commitAfter(consumer: Consumer, records: readonly BusRecord[]): Promise<void> {
  const heads = new Map<string, Position>();
  for (const { topic, partition, offset } of records) {
    heads.set(`${topic}/${partition}`, { topic, partition, offset: offset + 1n });
  }
  await consumer.commit([...heads.values()]);
}

export function texts(records: readonly BusRecord[]): (string | null)[] {
  return records.map((record) => record.value?.toString('utf8') ?? null);
}

export function numbered(topic: string, from: number, to: number, key: string | null = null): OutgoingRecord[] {
  return Array.from({ length: to - from }, (_, index) => ({ topic, key, value: `${from + index}` }));
}

/** What other programs put on a bus: no value, an empty one, names that repeat, names and values that are no text, names of ours. */
export function foreignHeaders(): readonly RecordHeader[] {
  const noText = Buffer.from([0xff, 0xfe, 0x00, 0x80, 0xc3]);
  return [
    { name: 'twice', value: Buffer.from('first') },
    { name: 'none', value: null },
    { name: 'empty', value: Buffer.alloc(0) },
    { name: 'no-text', value: noText },
    { name: noText.toString('utf8'), nameBytes: noText, value: noText },
    { name: '', value: Buffer.from('without a name') },
    { name: '7', value: Buffer.from('an object would put it first') },
    { name: '__proto__', value: Buffer.from('an object would swallow it') },
    { name: 'x-ccx-error-code', value: Buffer.from('of somebody else') },
    { name: 'x-ccx-original-headers', value: Buffer.from('2') },
    { name: 'twice', value: Buffer.from('second') },
    { name: 'twice', value: null },
  ];
}

/** `[from, to)` as texts. */
export function numbers(from: number, to: number): string[] {
  return Array.from({ length: to - from }, (_, index) => `${from + index}`);
}

export async function rejectsWith(promise: Promise<unknown>, code: string): Promise<void> {
  await assert.rejects(promise, { code });
}
