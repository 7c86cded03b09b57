/** What the drop-in program makes of its configuration where it differs from the role's: zero values, and what is off or not set there. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadConfig } from '../../../platform/config/load-config.ts';
import { notificationServiceSettings } from '../config.ts';
import { programOptions, withoutNegatives } from './load-program-config.ts';

function load(settings: Readonly<Record<string, string>> = {}) {
  const env = Object.fromEntries(
    Object.entries(settings).map(([name, value]) => [`CCX_NOTIFICATION_SERVICE__${name}`, value]),
  );
  return withoutNegatives(loadConfig(programOptions, { env }));
}

test('a first run has no cap unless one is set', () => {
  const firstRun = (settings = {}) => notificationServiceSettings(load(settings).loaded.config, 'once').firstRun;
  assert.equal(firstRun().messagesMax, 0);
  assert.equal(firstRun({ FIRST_RUN__MESSAGES: '1000' }).messagesMax, 1000);
});

test('negative times are as good as not set, with one warning each that names the setting', () => {
  const { config, loaded } = load({
    KAFKA_BROKER__TIMEOUT: '-5s',
    SERVICE_LOG__TIMEOUT: '-5s',
    METRICS__RETRIES: '-1',
    METRICS__RETRY_AFTER: '-1s',
    METRICS__GATEWAY_TIME_BETWEEN_PUSH: '-1ns',
  });
  assert.equal(config['kafka_broker.timeout'], -5_000, 'shown as it was configured');
  const used = loaded.config;
  assert.deepEqual([used['kafka_broker.timeout'], used['service_log.timeout']], [60_000, 0]);
  assert.deepEqual([used['metrics.retries'], used['metrics.retry_after']], [0, 0]);
  assert.equal(used['metrics.gateway_time_between_push'], 0);
  assert.deepEqual(
    loaded.warnings.map((warning) => warning.split(' ')[0]),
    [
      ...['kafka_broker.timeout', 'service_log.timeout', 'metrics.retries', 'metrics.retry_after'],
      'metrics.gateway_time_between_push',
    ],
  );
});

test('a timeout of nothing is not set, without a word, as in configurations that do not list it', () => {
  const { config, loaded } = load({ KAFKA_BROKER__TIMEOUT: '0s', SERVICE_LOG__TIMEOUT: '0s' });
  const used = loaded.config;
  assert.deepEqual([used['kafka_broker.timeout'], used['service_log.timeout'], loaded.warnings], [60_000, 0, []]);
  assert.deepEqual([config['kafka_broker.timeout'], load().config['kafka_broker.timeout']], [0, 0]);
});
