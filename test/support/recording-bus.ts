/**
 * A bus that remembers what was sent and can be away, slow or choosy: what an ingress needs of one. For tests of a sender's behaviour only;
 * what a real bus promises is proven by its contract suite.
 */
import { CcxError } from '../../src/encoding/ccx-error.ts';
import type { OutgoingRecord, Producer } from '../../src/platform/bus/bus.ts';

export interface RecordingBus {
  readonly records: OutgoingRecord[];
  /** `down`: sends are refused. `silent`: they are never answered, until `answer`. */
  mode: 'up' | 'down' | 'silent';
  /** Records that the bus will never take. */
  isRefused: (record: OutgoingRecord) => boolean;
  /** Takes everything that was sent while it was silent, and is up. */
  answer(): void;
  /** Resolves when so many records of a topic have been taken. */
  taken(topic: string, count: number): Promise<OutgoingRecord[]>;
  of(topic: string): OutgoingRecord[];
  createProducer(): Promise<Producer>;
  check(): Promise<void>;
}

export function createRecordingBus(): RecordingBus {
  const silent: (() => void)[] = [];
  const watchers = new Set<() => void>();
  const take = (records: readonly OutgoingRecord[]) => {
    bus.records.push(...records);
    for (const watcher of watchers) watcher();
  };
  const send = async (records: readonly OutgoingRecord[]) => {
    if (bus.mode === 'down') throw unreachable();
    if (records.some((record) => bus.isRefused(record))) {
      throw new CcxError('too large', { code: 'BUS_RECORD_TOO_LARGE', category: 'limit' });
    }
    if (bus.mode === 'silent') await new Promise<void>((resolve) => silent.push(resolve));
    take(records);
    return [];
  };
  const bus: RecordingBus = {
    records: [],
    mode: 'up',
    isRefused: () => false,
    answer() {
      bus.mode = 'up';
      for (const go of silent.splice(0)) go();
    },
    of: (topic) => bus.records.filter((record) => record.topic === topic),
    taken(topic, count) {
      return new Promise((resolve) => {
        const look = () => {
          const found = bus.of(topic);
          if (found.length < count) return;
          watchers.delete(look);
          resolve(found);
        };
        watchers.add(look);
        look();
      });
    },
    async createProducer() {
      if (bus.mode === 'down') throw unreachable();
      const sendEach = () => Promise.reject(new Error('this bus takes whole sends only'));
      return { send, sendEach, close: async () => undefined };
    },
    async check() {
      if (bus.mode !== 'up') throw unreachable();
    },
  };
  return bus;
}

function unreachable(): CcxError {
  return new CcxError('the bus is away', { code: 'BUS_UNREACHABLE', category: 'connection', retryable: true });
}
