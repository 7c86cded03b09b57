/** The writer's configuration: the reference's keys and environment names, what is refused, and how it becomes adapters' settings. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CcxError } from '../../encoding/ccx-error.ts';
import { loadConfig } from '../../platform/config/load-config.ts';
import { environmentName } from '../../platform/config/options.ts';
import { storageDatabase } from '../../platform/reference/broker-settings.ts';
import { referenceLogLevel } from '../../platform/reference/reference-log.ts';
import {
  notificationWriterOptions,
  notificationWriterSettings,
  referenceOptions,
  writerBusSettings,
  writerExitCode,
} from './config.ts';

function load(env: Readonly<Record<string, string>> = {}) {
  return loadConfig(notificationWriterOptions, { env }).config;
}

test("the reference's keys have the reference's environment names", () => {
  assert.equal(Object.keys(referenceOptions).length, 36);
  for (const key of Object.keys(referenceOptions)) {
    const [section, name] = key.split('.') as [string, string];
    assert.equal(
      environmentName(notificationWriterOptions, key),
      `CCX_NOTIFICATION_WRITER__${section.toUpperCase()}__${name.toUpperCase()}`,
    );
  }
});

test('without any setting it stores reports of the hosted topics, from the oldest on', () => {
  const settings = notificationWriterSettings(load());
  assert.deepEqual(
    [settings.topic, settings.groupId, settings.startAt, settings.statusesTopic, settings.serviceName],
    ['ccx.ocp.results', 'ccx_notification_app', 'earliest', 'platform.payload-status', 'ccx-notification-writer'],
  );
  assert.deepEqual([settings.futureToleranceMs, settings.batch.recordsMax], [60_000, 500]);
  assert.equal(writerBusSettings(load()).kind, 'postgres');
});

test('the database is composed with its reserved characters encoded, or named by one URL', () => {
  const config = load({
    CCX_NOTIFICATION_WRITER__STORAGE__PG_USERNAME: 'a@b',
    CCX_NOTIFICATION_WRITER__STORAGE__PG_PASSWORD: 'p/w:?',
    CCX_NOTIFICATION_WRITER__STORAGE__PG_HOST: 'db.example',
    CCX_NOTIFICATION_WRITER__STORAGE__PG_PARAMS: 'sslmode=require',
  });
  assert.equal(
    storageDatabase({ config, secretFiles: {} }).url,
    'postgres://a%40b:p%2Fw%3A%3F@db.example:5432/notification?sslmode=require',
  );
  assert.equal(
    storageDatabase({ config: load({ CCX_DATABASE_URL: 'postgres://u@h/d' }), secretFiles: {} }).url,
    'postgres://u@h/d',
  );
});

test('brokers of a reference configuration switch to Kafka with its own security settings', () => {
  const settings = writerBusSettings(
    load({
      CCX_NOTIFICATION_WRITER__BROKER__ADDRESSES: 'a:1, b:2',
      CCX_NOTIFICATION_WRITER__BROKER__SECURITY_PROTOCOL: 'SASL_PLAINTEXT',
      CCX_NOTIFICATION_WRITER__BROKER__SASL_MECHANISM: 'scram-sha-512',
      CCX_NOTIFICATION_WRITER__BROKER__SASL_USERNAME: 'u',
      CCX_NOTIFICATION_WRITER__BROKER__SASL_PASSWORD: 'p',
    }),
  );
  assert.ok(settings.kind === 'kafka');
  assert.deepEqual(settings.brokers, ['a:1', 'b:2']);
  assert.deepEqual(settings.security, {
    protocol: 'SASL_PLAINTEXT',
    sasl: { mechanism: 'SCRAM-SHA-512', user: 'u', password: 'p' },
  });
});

test('what is not supported is refused with its alternative, and "none" switches off', () => {
  const refused = (env: Readonly<Record<string, string>>) => {
    try {
      notificationWriterSettings(load(env));
    } catch (error) {
      return error as CcxError;
    }
    return undefined;
  };
  const prefix = 'CCX_NOTIFICATION_WRITER__';
  assert.match(
    refused({ [`${prefix}LOGGING__LOGGING_TO_CLOUD_WATCH_ENABLED`]: 'true' })?.hint ?? '',
    /standard output/,
  );
  assert.match(refused({ [`${prefix}LOGGING__LOGGING_TO_SENTRY_ENABLED`]: '1' })?.hint ?? '', /alert/);
  const driver = refused({ [`${prefix}STORAGE__DB_DRIVER`]: 'sqlite3' });
  assert.equal(driver?.message, 'driver sqlite3 is not supported');
  assert.equal(writerExitCode(driver), 5);
  assert.equal(notificationWriterSettings(load({ [`${prefix}TRACKER__TOPIC`]: 'none' })).statusesTopic, '');
});

test("exit codes are the reference's: 5 for storage, 2 for the bus, 1 for the rest", () => {
  const error = (code: string, category: CcxError['category']) => new CcxError('x', { code, category });
  assert.equal(writerExitCode(error('DATABASE_UNREACHABLE', 'connection')), 5);
  assert.equal(writerExitCode(error('DATABASE_PERMISSION', 'storage')), 5);
  assert.equal(writerExitCode(error('WRITER_NO_TABLE', 'storage')), 5);
  assert.equal(writerExitCode(error('CCX_MIGRATION_FAILED', 'storage')), 5);
  assert.equal(writerExitCode(error('BUS_UNREACHABLE', 'connection')), 2);
  assert.equal(writerExitCode(error('BUS_TOPIC_UNKNOWN', 'configuration')), 2);
  assert.equal(writerExitCode(error('CONFIG_INVALID', 'configuration')), 1);
  assert.equal(writerExitCode(error('HTTP_LISTEN', 'configuration')), 1);
  assert.equal(writerExitCode(new Error('bug')), 1);
});

test("log levels are the reference's words, and anything else is debug", () => {
  assert.deepEqual(['info', ' WARN ', 'Warning', 'ERROR', 'fatal', 'debug', '', 'loud'].map(referenceLogLevel), [
    'info',
    'warn',
    'warn',
    'error',
    'fatal',
    'debug',
    'debug',
    'debug',
  ]);
});
