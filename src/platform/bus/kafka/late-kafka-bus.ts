/**
 * The bus on Apache Kafka for whoever may have nothing to send: its client, which takes longer to load than the rest of a cron job's start, is
 * loaded by the first record that is sent or read, or where the brokers do not say by themselves that all is well. Called by `open-bus.ts`.
 */
import type { Clock } from '../../clock/clock.ts';
import type { Telemetry } from '../../telemetry/telemetry.ts';
import type { Bus, Producer } from '../bus.ts';
import { closed } from '../bus-errors.ts';
import type { KafkaBusSettings } from '../bus-options.ts';
import { looksWell } from './quick-look.ts';

type LateBusOptions = Omit<KafkaBusSettings, 'kind'> & { readonly clock: Clock; readonly telemetry: Telemetry };

/** Behaves as `createKafkaBus`, but that settings which it would refuse are refused by the first call. */
export function createLateKafkaBus(options: LateBusOptions): Bus {
  let loading: Promise<Bus> | undefined;
  let isClosed = false;
  const bus = async () => {
    if (isClosed) throw closed('bus');
    loading ??= import('./kafka-bus.ts').then(({ createKafkaBus }) => createKafkaBus(options));
    return await loading;
  };
  const admin = async () => (await bus()).admin;
  /** Once there is a client, it knows more. */
  const allIsWell = async (topic?: string) =>
    loading === undefined && !isClosed && (await looksWell({ ...options, ...(topic === undefined ? {} : { topic }) }));
  return {
    kind: 'kafka',
    admin: {
      ensureTopics: async (topics) => (await admin()).ensureTopics(topics),
      deleteTopic: async (name) => (await admin()).deleteTopic(name),
      listTopics: async () => (await admin()).listTopics(),
      retentionMs: async (topic) => (await admin()).retentionMs(topic),
      lag: async (groupId, topics) => (await admin()).lag(groupId, topics),
      async read(from, recordsMax) {
        const onlyLooks = recordsMax === 0 && from.partition === 0;
        return onlyLooks && (await allIsWell(from.topic)) ? [] : await (await admin()).read(from, recordsMax);
      },
    },
    createProducer: async () => createLateProducer(async () => (await bus()).createProducer()),
    createConsumer: async (consumer) => (await bus()).createConsumer(consumer),
    async check() {
      if (!(await allIsWell())) await (await bus()).check();
    },
    async close() {
      isClosed = true;
      const loaded = await loading?.catch(() => undefined);
      await loaded?.close();
    },
  };
}

function createLateProducer(create: () => Promise<Producer>): Producer {
  let creating: Promise<Producer> | undefined;
  let isClosed = false;
  return {
    async send(records, options) {
      if (isClosed) throw closed('producer');
      creating ??= create();
      return await (await creating).send(records, options);
    },
    async sendEach(records, settle) {
      let producer: Producer;
      try {
        if (isClosed) throw closed('producer');
        creating ??= create();
        producer = await creating;
      } catch (error) {
        return void records.forEach((_, index) => void settle(index, error as Error));
      }
      await producer.sendEach(records, settle);
    },
    async close() {
      isClosed = true;
      const created = await creating?.catch(() => undefined);
      await created?.close();
    },
  };
}
