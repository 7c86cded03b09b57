/** The option table: the reference's keys, names and shipped values, and what becomes of them (notification-service.md 3.4). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { temporaryFile } from '../../../test/support/temporary-folder.ts';
import { receiversToml, webhookEntry } from '../../../test/support/webhook-receiver.ts';
import { CcxError } from '../../encoding/ccx-error.ts';
import { loadConfig } from '../../platform/config/load-config.ts';
import { environmentName } from '../../platform/config/options.ts';
import { notificationServiceOptions, notificationServiceSettings } from './config.ts';
import { notifierExitCode } from './exit-codes.ts';
import { dependencySettings } from './open-dependencies.ts';
import { notificationServiceRole } from './service.ts';

const load = (env: Record<string, string> = {}) => loadConfig(notificationServiceOptions, { env }).config;

test('the shipped values of the policies are the reference’s', () => {
  const { policies, clusters } = notificationServiceSettings(load(), 'once');
  const common = {
    cooldown: '1 week',
    negativeCooldown: 'refused',
    eventFilter: 'totalRisk >= totalRiskThreshold',
    likelihoodThreshold: 0,
    impactThreshold: 0,
    severityThreshold: 0,
    clusterCap: 0,
    sendResolved: false,
  };
  assert.deepEqual(policies, {
    'notification-backend': {
      ...common,
      section: 'kafka_broker',
      totalRiskThreshold: 2,
      tagFilterEnabled: false,
      tags: [],
    },
    'service-log': {
      ...common,
      section: 'service_log',
      totalRiskThreshold: 0,
      tagFilterEnabled: true,
      tags: ['osd_customer'],
    },
  });
  assert.deepEqual(clusters, { allowOnly: false, allowed: new Set(), block: false, blocked: new Set() });
});

test('each target and the cluster lists are set by the reference’s environment names', () => {
  assert.equal(
    environmentName(notificationServiceOptions, 'service_log.total_risk_threshold'),
    'CCX_NOTIFICATION_SERVICE__SERVICE_LOG__TOTAL_RISK_THRESHOLD',
  );
  const settings = notificationServiceSettings(
    load({
      CCX_NOTIFICATION_SERVICE__SERVICE_LOG__COOLDOWN: '24h',
      CCX_NOTIFICATION_SERVICE__SERVICE_LOG__TAGS: 'a,b',
      CCX_NOTIFICATION_SERVICE__KAFKA_BROKER__TOTAL_RISK_THRESHOLD: '3',
      CCX_NOTIFICATION_SERVICE__PROCESSING__FILTER_ALLOWED_CLUSTERS: 'T',
      CCX_NOTIFICATION_SERVICE__PROCESSING__ALLOWED_CLUSTERS: 'x,y',
    }),
    'follow',
  );
  assert.deepEqual(
    [settings.policies['service-log'].cooldown, settings.policies['service-log'].tags],
    ['24h', ['a', 'b']],
  );
  assert.equal(settings.policies['notification-backend'].totalRiskThreshold, 3);
  assert.deepEqual([settings.clusters.allowOnly, [...settings.clusters.allowed]], [true, ['x', 'y']]);
});

test('service Q3: the time of a call to Service Log is the one that was configured', () => {
  for (const [text, ms] of [
    ['15s', 15_000],
    ['10s', 10_000],
    ['1m', 60_000],
  ] as const) {
    const env = {
      CCX_NOTIFICATION_SERVICE__SERVICE_LOG__TIMEOUT: text,
      CCX_NOTIFICATION_SERVICE__SERVICE_LOG__ENABLED: '1',
    };
    const loaded = loadConfig(notificationServiceOptions, { env });
    assert.equal(dependencySettings({ loaded, env, brokerCa: undefined }).serviceLog?.timeoutMs, ms);
  }
});

test('metrics are pushed only with a namespace and a token; old reports are deleted only when asked for', () => {
  const token = { CCX_NOTIFICATION_SERVICE__METRICS__GATEWAY_AUTH_TOKEN: 'dG9rZW4=' };
  assert.equal(notificationServiceSettings(load(), 'once').metrics.push, undefined);
  assert.deepEqual(notificationServiceSettings(load(token), 'once').metrics.push, {
    gatewayUrl: 'localhost:9091',
    jobName: 'ccx_notification_service',
    gatewayAuthToken: 'dG9rZW4=',
    retries: 3,
    retryAfterMs: 60_000,
    gatewayTimeBetweenPushMs: 30_000,
  });
  assert.equal(notificationServiceSettings(load(), 'follow').retention.reportsMaxAge, '');
  const cleaning = load({ CCX_NOTIFICATION_SERVICE__CLEANER__ENABLED: 'true' });
  assert.equal(notificationServiceSettings(cleaning, 'follow').retention.reportsMaxAge, '90 days');
});

test('service Q23: every failure of a start or a run has the reference’s exit code, and an unknown one is none of success', () => {
  const code = (name: string) => notifierExitCode(new CcxError('', { code: name, category: 'configuration' }));
  const expected: [string, number][] = [
    ['CONFIG_INVALID', 1],
    ['NO_TARGET', 1],
    ['DATABASE_LOST', 3],
    ['SCHEMA_MISSING', 3],
    ['CCX_MIGRATION_FAILED', 3],
    ['COOLDOWN_INVALID', 3],
    ['CONTENT_UNAVAILABLE', 4],
    ['BUS_UNREACHABLE', 5],
    ['EVENT_FILTER_INVALID', 10],
    ['SECRET_MISSING', 11],
    ['DISABLED_RULES_UNAVAILABLE', 12],
  ];
  for (const [name, exit] of expected) assert.equal(code(name), exit, name);
  assert.equal(notifierExitCode(new Error('a bug')), 1);
});

test('times that make no sense are refused by name, and those that mean "never" or "at once" are not', () => {
  const refused: Readonly<Record<string, string>> = {
    KAFKA_BROKER__TIMEOUT: '0s',
    SERVICE_LOG__TIMEOUT: '-1s',
    METRICS__RETRY_AFTER: '-1ms',
    METRICS__GATEWAY_TIME_BETWEEN_PUSH: '-1m',
    METRICS__RETRIES: '-1',
    FIRST_RUN__MESSAGES: '-1',
    FIRST_RUN__EVERY: '0s',
    DELIVERY__DEADLINE: '-1s',
    FOLLOW__POLL: '0s',
    RETENTION__OUTBOX: '-24h',
  };
  for (const [name, value] of Object.entries(refused)) {
    const setting = `CCX_NOTIFICATION_SERVICE__${name}`;
    assert.throws(() => load({ [setting]: value }), { code: 'CONFIG_INVALID', hint: `change ${setting}` }, name);
  }
  for (const name of ['METRICS__RETRY_AFTER', 'METRICS__GATEWAY_TIME_BETWEEN_PUSH', 'FIRST_RUN__MESSAGES'])
    assert.doesNotThrow(() => load({ [`CCX_NOTIFICATION_SERVICE__${name}`]: '0' }), name);
});

test('a filter of a receiver that is none is refused by its name before anything is opened', () => {
  const file = temporaryFile(
    'notifier.toml',
    receiversToml([webhookEntry('https://a.example.com/', { event_filter: 'totalRisk + (' })]),
  );
  const loaded = loadConfig(notificationServiceOptions, { env: {}, file });
  assert.throws(
    () => notificationServiceRole.checkSettings({ loaded, env: {} }),
    (error: unknown) =>
      error instanceof CcxError &&
      error.code === 'EVENT_FILTER_INVALID' &&
      /receivers\.tickets\.event_filter/.test(`${error.message} ${error.hint}`),
  );
});
