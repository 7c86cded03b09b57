/** From a role's option table to settings of the bus. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadConfig } from '../config/load-config.ts';
import { defineOptions } from '../config/options.ts';
import { busOptions, busSettings } from './bus-options.ts';

const table = defineOptions({ name: 'writer', envPrefix: 'CCX_WRITER', options: { ...busOptions } });
const settingsFrom = (env: Record<string, string>) => busSettings(loadConfig(table, { env }).config, 'writer');

test('without any configuration the bus is the database', () => {
  const settings = settingsFrom({});
  assert.equal(settings.kind, 'postgres');
  assert.ok(Object.values(settings).every((value) => value !== undefined));
});

test('Kafka settings come from the environment, and the client is named after the role', () => {
  const settings = settingsFrom({
    CCX_WRITER__BUS__KIND: 'kafka',
    CCX_WRITER__BUS__BROKERS: 'a:1, b:2',
    CCX_WRITER__BUS__SECURITY_PROTOCOL: 'sasl_plaintext',
    CCX_WRITER__BUS__SASL_MECHANISM: 'SCRAM-SHA-256',
    CCX_WRITER__BUS__SASL_USER: 'u',
    CCX_WRITER__BUS__SASL_PASSWORD: 'p',
    CCX_WRITER__BUS__DELIVERY_TIMEOUT: '5s',
  });
  assert.ok(settings.kind === 'kafka');
  assert.deepEqual(settings.brokers, ['a:1', 'b:2']);
  assert.equal(settings.clientId, 'ccx-writer');
  assert.equal(settings.deliveryMsMax, 5_000);
  assert.deepEqual(settings.security, {
    protocol: 'SASL_PLAINTEXT',
    sasl: { mechanism: 'SCRAM-SHA-256', user: 'u', password: 'p' },
  });
});

test('security settings that cannot be honoured stop the start', () => {
  assert.throws(() => settingsFrom({ CCX_WRITER__BUS__KIND: 'kafka', CCX_WRITER__BUS__SECURITY_PROTOCOL: 'TLS' }), {
    code: 'BUS_SECURITY',
  });
});

test('Kafka settings do not matter while the bus is the database', () => {
  assert.equal(settingsFrom({ CCX_WRITER__BUS__SECURITY_PROTOCOL: 'TLS' }).kind, 'postgres');
});
