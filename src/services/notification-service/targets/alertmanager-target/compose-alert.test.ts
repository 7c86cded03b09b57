/** An alert as its receiver gets it: labels that never change while it is there, plain text, times that an Alertmanager takes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { contentOf } from '../../../../../test/support/notification-content.ts';
import { labelFault } from '../../../../contracts/alertmanager.ts';
import type { StoredAlert } from '../../decide/decide-alert.ts';
import { type AlertContext, alertOf, severityOf } from './compose-alert.ts';

const content = contentOf({ CRITICAL: { risk: 4 } });
const stored: StoredAlert = {
  ...{ orgId: 7, cluster: '5d5892d3-1f74-4ccf-91af-548dfc9767aa', type: 'rule' },
  ...{ component: 'ccx_rules_ocp.external.rules.test_rule.report', errorKey: 'CRITICAL' },
  ...{ reason: 'alert-active', acknowledgementId: null, notificationId: 'the-id', toldAs: '4/security' },
  ...{
    decidedAt: '2026-11-21 16:00:00.000001',
    appearedAt: '2026-11-21 15:00:00.5',
    clusterName: null,
    staleSince: null,
  },
};
const context: AlertContext = {
  content,
  ruleDetailsUri: 'https://console.example.com/{cluster_id}/{module}/{error_key}',
  now: new Date('2026-11-21T17:00:00Z'),
  resolveAfterMs: 4 * 3_600_000,
};

test('an active alert says what it is, where to read on, and that it is there for hours', () => {
  assert.deepEqual(alertOf(stored, context), {
    labels: {
      ...{ alertname: 'InsightsRecommendation', severity: 'critical', total_risk: '4', org_id: '7' },
      cluster_id: '5d5892d3-1f74-4ccf-91af-548dfc9767aa',
      ...{ rule: 'ccx_rules_ocp.external.rules.test_rule', error_key: 'CRITICAL', category: 'security' },
      source: 'ccx-notifications',
    },
    annotations: {
      summary: 'about CRITICAL',
      description: 'The recommendation "about CRITICAL" (CRITICAL) applies to this cluster.',
      runbook_url:
        'https://console.example.com/5d5892d3-1f74-4ccf-91af-548dfc9767aa/ccx_rules_ocp.external.rules.test_rule/CRITICAL',
      notification_id: 'the-id',
    },
    startsAt: '2026-11-21T15:00:00.500Z',
    endsAt: '2026-11-21T21:00:00.000Z',
    generatorURL:
      'https://console.example.com/5d5892d3-1f74-4ccf-91af-548dfc9767aa/ccx_rules_ocp.external.rules.test_rule/CRITICAL',
  });
});

test('its labels are the same whatever else changes', () => {
  const { labels } = alertOf(stored, context);
  const changed = { clusterName: 'prod', staleSince: '2026-11-20 00:00:00', notificationId: 'another', reason: 'gone' };
  const later = { ...context, now: new Date('2026-11-22T17:00:00Z'), content: contentOf({}) };
  assert.deepEqual(alertOf({ ...stored, ...changed }, later).labels, labels);
});

test('its end is when it ended, with why; a stale cluster is marked', () => {
  const ended = alertOf({ ...stored, reason: 'disabled-by-cluster', acknowledgementId: 'a' }, context);
  assert.equal(ended.endsAt, '2026-11-21T16:00:00.000Z');
  assert.equal(ended.annotations.ended_because, 'acknowledged');
  const stale = alertOf({ ...stored, staleSince: '2026-11-20 00:00:00' }, context);
  assert.equal(stale.annotations.stale_since, '2026-11-20T00:00:00.000Z');
  assert.equal(stale.endsAt, '2026-11-21T21:00:00.000Z', 'it stays as it was');
});

test('it never ends before it begins, and an address that is none is left out', () => {
  const ahead = alertOf({ ...stored, reason: 'gone', appearedAt: '2026-11-21 23:00:00' }, context);
  assert.equal(ahead.startsAt, ahead.endsAt);
  const { generatorURL, annotations } = alertOf(stored, { ...context, ruleDetailsUri: 'console/{module}' });
  assert.deepEqual([generatorURL, annotations.runbook_url], [undefined, undefined]);
});

test('severities are those that routes of OpenShift know', () => {
  assert.deepEqual([4, 3, 2, 1].map(severityOf), ['critical', 'warning', 'info', 'info']);
});

test('texts of people and rules are text: one line for names, at most a kilobyte, no template code', () => {
  const risky = contentOf({ CRITICAL: { risk: 4 } });
  const key = { ...risky.rules['test_rule']!.error_keys['CRITICAL']!, resolution: 'Do {{ this }}' };
  const rule = {
    ...risky.rules['test_rule']!,
    error_keys: { CRITICAL: key },
    resolution: `Step\u0007\n${'ä'.repeat(2_000)}`,
  };
  const { annotations } = alertOf(
    { ...stored, clusterName: 'prod\r\nX: y\u202e' },
    { ...context, content: { ...risky, rules: { test_rule: rule } } },
  );
  assert.equal(annotations.cluster_name, 'prod X: y');
  assert.ok(annotations.resolution!.startsWith('Step \nä'));
  assert.ok(Buffer.byteLength(annotations.resolution!) <= 1_024);
});

test('whatever a report calls its rule, its labels are fine or the fault is named', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'binary', maxLength: 2_000 }),
      fc.string({ unit: 'binary' }),
      (component, errorKey) => {
        const alert = alertOf({ ...stored, component, errorKey }, context);
        const fault = labelFault(alert.labels);
        const strange = [alert.labels.rule, alert.labels.error_key].some(
          (text) => text === '' || /[\p{Cc}\p{Cs}]/u.test(text) || Buffer.byteLength(text) > 1_024,
        );
        assert.equal(fault !== undefined, strange);
        assert.doesNotThrow(() => JSON.stringify(alert));
      },
    ),
  );
});
