/** Which topics are asked for, and how what is missing is told. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CcxError } from '../../encoding/ccx-error.ts';
import type { Bus } from './bus.ts';
import { topicUnknown, unreachable } from './bus-errors.ts';
import { requireTopics } from './require-topics.ts';

/** A bus on which each of these topics has this problem, and all others are there. */
function busWith(problems: Readonly<Record<string, CcxError>>, change: Partial<Bus> = {}) {
  const asked: string[] = [];
  const admin = {
    read: async ({ topic }: { readonly topic: string }) => {
      asked.push(topic);
      if (problems[topic] !== undefined) throw problems[topic];
      return [];
    },
  } as unknown as Bus['admin'];
  return { asked, bus: { kind: 'kafka' as const, check: async () => undefined, admin, ...change } };
}

const forbidden = new CcxError('no', {
  code: 'BUS_TOPIC_PERMISSION',
  category: 'configuration',
  hint: 'of the adapter',
});

test('topics that are there are asked for once each, unnamed ones not at all', async () => {
  const { bus, asked } = busWith({});
  await requireTopics(bus, [
    { name: 'a', setting: 's.a' },
    { name: '', setting: 's.none' },
    { name: 'b', setting: 's.b', optional: true },
  ]);
  assert.deepEqual(asked.sort(), ['a', 'b']);
});

test('every missing topic is named with its setting, in one error', async () => {
  const { bus } = busWith({ a: topicUnknown(['a']), b: topicUnknown(['b']), c: forbidden });
  const needed = ['a', 'ok', 'b', 'c'].map((name) => ({ name, setting: `s.${name}` }));
  await assert.rejects(requireTopics(bus, needed), {
    code: 'BUS_TOPIC_UNKNOWN',
    retryable: false,
    message: 'there is no topic a, b on the bus',
    hint: "create it with your Kafka's tools, or change s.a, s.b",
  });
});

test('a topic without permission names the setting of the role and not the one of the adapter', async () => {
  const { bus } = busWith({ a: forbidden });
  await assert.rejects(requireTopics(bus, [{ name: 'a', setting: 'INGRESS_KAFKAANNOUNCETOPIC' }]), {
    code: 'BUS_TOPIC_PERMISSION',
    message: 'this user may not use topic a',
    hint: "grant this role's Kafka user the right to use it, or change INGRESS_KAFKAANNOUNCETOPIC",
  });
});

test('a missing optional topic is told and ends nothing', async () => {
  const { bus } = busWith({ a: topicUnknown(['a']) });
  const told: CcxError[] = [];
  await requireTopics(bus, [{ name: 'a', setting: 's.a', optional: true }], (error) => told.push(error));
  assert.deepEqual(
    told.map(({ message, hint }) => [message, hint]),
    [['there is no topic a on the bus', "create it with your Kafka's tools, or change s.a"]],
  );
});

test('brokers that are away stay what they are: retryable, and no word about topics', async () => {
  const away = unreachable('away');
  const { bus } = busWith({ a: away });
  await assert.rejects(requireTopics(bus, [{ name: 'a', setting: 's.a' }]), away);
});

test('brokers that are away are found out where no topic is named, too', async () => {
  const away = unreachable('away');
  const { bus } = busWith({}, { check: () => Promise.reject(away) });
  await assert.rejects(requireTopics(bus, [{ name: '', setting: 's.none' }]), away);
});

test('on the embedded bus it is asked whether it answers, and for no topic', async () => {
  const { bus, asked } = busWith({ a: topicUnknown(['a']) }, { kind: 'postgres' });
  await requireTopics(bus, [{ name: 'a', setting: 's.a' }]);
  assert.deepEqual(asked, []);
  const away = unreachable('away', 'check the database');
  const { bus: dead } = busWith({}, { kind: 'postgres', check: () => Promise.reject(away) });
  await assert.rejects(requireTopics(dead, []), away);
});
