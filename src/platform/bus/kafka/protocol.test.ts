/** Which brokers speak our requests, and how addresses are read; without any broker. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSystemClock } from '../../clock/clock.ts';
import { rejectsWith } from '../contract/bus-harness.contract.ts';
import { createKafkaBus } from './kafka-bus.ts';
import { plaintext } from './kafka-security.ts';
import { apis, unsupportedApis } from './protocol.ts';

const ranges = Object.values(apis).map((api) => ({ apiKey: api.key, minVersion: 0, maxVersion: api.version }));

test('a broker that speaks every request in our version is good enough', () => {
  assert.deepEqual(unsupportedApis(ranges), []);
});

test('a broker that stops short of one version, or has dropped it, is told with that request', () => {
  const older = ranges.map((range) => (range.apiKey === apis.fetch.key ? { ...range, maxVersion: 12 } : range));
  assert.deepEqual(unsupportedApis(older), ['fetch v13']);
  const newer = ranges.map((range) => (range.apiKey === apis.produce.key ? { ...range, minVersion: 10 } : range));
  assert.deepEqual(unsupportedApis(newer), ['produce v9']);
  assert.equal(unsupportedApis([]).length, Object.keys(apis).length);
});

const open = (brokers: readonly string[]) =>
  createKafkaBus({ brokers, clientId: 'test', security: plaintext, clock: createSystemClock(), deliveryMsMax: 1_000 });

for (const brokers of [[], ['two words:1'], ['host:port'], ['http://host:1']]) {
  test(`brokers ${JSON.stringify(brokers)} are a configuration error that names the setting`, () => {
    assert.throws(() => open(brokers), { code: 'BUS_ADDRESS' });
  });
}

test('addresses may have spaces around them, no port, or be IPv6', async () => {
  for (const address of [' localhost:9092 ', 'localhost', '[::1]:9092']) await open([address]).close();
});

test('a bus opens and closes without its brokers, and says so when it is asked', async () => {
  const bus = open(['127.0.0.1:1']);
  await rejectsWith(bus.check(), 'BUS_UNREACHABLE');
  const producer = await bus.createProducer();
  await rejectsWith(producer.send([{ topic: 't', value: 'v' }]), 'BUS_UNREACHABLE');
  await bus.close();
});
