/** Due issues → messages: fields, addresses, and the split of what is too large. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { clusterId, dueCluster, dueIssue } from '../../../../../test/support/due-cluster.ts';
import {
  notificationTimestamp,
  parseNotificationMessage,
  publishDateOf,
  serialiseNotificationMessage,
} from '../../../../contracts/notification-message.ts';
import { recordBytesMaxDefault } from '../../../../platform/bus/bus-options.ts';
import { prepareRecord } from '../../../../platform/bus/outgoing-record.ts';
import { createManualClock } from '../../../../platform/clock/manual-clock.ts';
import type { ComposeContext, DueCluster } from '../../ports.ts';
import { fillClusterUri, fillUri } from '../uri-template.ts';
import {
  createComposer,
  type MessageSettings,
  notificationBytesMax,
  ruleDescriptionBytesMax,
  ruleUrlBytesMax,
} from './compose-messages.ts';

const settings = {
  clusterDetailsUri: 'https://console.redhat.com/openshift/details/{cluster_id}#insights',
  ruleDetailsUri: 'https://console.redhat.com/openshift/details/{cluster_id}/insights/{module}/{error_key}',
  recordBytesMax: recordBytesMaxDefault,
};
const bodyBytesMax = notificationBytesMax(recordBytesMaxDefault);

/** By a composer that has composed nothing yet. */
function composeMessages(about: DueCluster, by: MessageSettings, how: ComposeContext) {
  return createComposer(by)(about, how);
}

function context() {
  const clock = createManualClock('2026-11-21T16:00:00.500Z');
  return { now: clock.now(), uuid: () => clock.uuid() };
}

test('D3: one message with one event per issue, in report order', () => {
  const issues = [dueIssue(), dueIssue({ rule: 'other', errorKey: 'OTHER', totalRisk: 4, description: 'Other' })];
  const [sent, ...more] = composeMessages(dueCluster(issues, { accountNumber: 12 }), settings, context());
  assert.deepEqual(more, []);
  assert.deepEqual(parseNotificationMessage(sent!.body), {
    id: sent!.id,
    bundle: 'openshift',
    application: 'advisor',
    event_type: 'new-recommendation',
    timestamp: '2026-11-21T16:00:00.5Z',
    account_id: '12',
    org_id: '7654321',
    events: [
      {
        metadata: {},
        payload: {
          publish_date: '2026-11-21T15:59:00.12Z',
          rule_description: 'A node is not ready',
          rule_url: `https://console.redhat.com/openshift/details/${clusterId}/insights/ccx_rules_ocp|external|rules|node_not_ready|report/NODE_NOT_READY`,
          total_risk: '3',
        },
      },
      {
        metadata: {},
        payload: {
          publish_date: '2026-11-21T15:59:00.12Z',
          rule_description: 'Other',
          rule_url: `https://console.redhat.com/openshift/details/${clusterId}/insights/ccx_rules_ocp|external|rules|other|report/OTHER`,
          total_risk: '4',
        },
      },
    ],
    context: {
      display_name: clusterId,
      host_url: `https://console.redhat.com/openshift/details/${clusterId}#insights`,
    },
  });
  assert.equal(sent!.target, 'notification-backend');
  assert.equal(sent!.cluster, clusterId);
  assert.deepEqual(sent!.headers, { 'rh-message-id': sent!.id });
  assert.deepEqual(
    sent!.issues.map((issue) => issue.errorKey),
    ['NODE_NOT_READY', 'OTHER'],
  );
});

test('F24: a report from the future is published a few seconds ago', () => {
  const [sent] = composeMessages(
    dueCluster(undefined, { reportUpdatedAt: '2026-11-21 17:00:00' }),
    settings,
    context(),
  );
  assert.equal(parseNotificationMessage(sent!.body).events[0]!.payload.publish_date, '2026-11-21T15:59:55.5Z');
});

test('risks outside of the known ones are bounded, and an empty description is replaced', () => {
  const issues = [
    dueIssue({ totalRisk: 7, description: ' ' }),
    dueIssue({ totalRisk: 0, description: '', ruleName: '' }),
  ];
  const [sent] = composeMessages(dueCluster(issues), settings, context());
  const payloads = parseNotificationMessage(sent!.body).events.map((event) => event.payload);
  assert.deepEqual(
    payloads.map((payload) => [payload.total_risk, payload.rule_description]),
    [
      ['4', 'Node not ready'],
      ['0', 'NODE_NOT_READY'],
    ],
  );
});

test('empty address templates, as without a configuration file, give a message all the same', () => {
  const [sent] = composeMessages(dueCluster(), { ...settings, clusterDetailsUri: '', ruleDetailsUri: '' }, context());
  assert.equal(parseNotificationMessage(sent!.body).context.host_url, '');
});

test('an organization that nobody belongs to is refused before it is stored', () => {
  assert.throws(() => composeMessages(dueCluster(undefined, { orgId: 0 }), settings, context()), {
    code: 'NOTIFICATION_INVALID',
  });
});

test('F14: five thousand issues become several messages, each within the limit and with its own id, the same each time', () => {
  const issues = Array.from({ length: 5000 }, (_, i) =>
    dueIssue({ errorKey: `KEY_${i}`, description: `${i} `.repeat(40) }),
  );
  const parts = composeMessages(dueCluster(issues), settings, context());
  assert.ok(parts.length > 1);
  assert.equal(new Set(parts.map((part) => part.id)).size, parts.length);
  for (const part of parts) assert.ok(Buffer.byteLength(part.body) <= bodyBytesMax);
  assert.deepEqual(
    parts.flatMap((part) => part.issues.map((issue) => issue.errorKey)),
    issues.map((issue) => issue.errorKey),
  );
  assert.deepEqual(composeMessages(dueCluster(issues), settings, context()), parts);
});

test('whatever the issues, each is in one message, in report order, and all messages are read whole and fit', () => {
  const issue = fc.record({
    errorKey: fc.stringMatching(/^[A-Z_]{1,20}$/),
    totalRisk: fc.integer({ min: -1, max: 6 }),
    // JSON makes one to six bytes of each.
    letter: fc.constantFrom('a', '\n', '\u0001', '<', 'ž', '😀', '\ud800', '\u2028'),
    letters: fc.oneof(fc.nat(200), fc.integer({ min: ruleDescriptionBytesMax / 2, max: ruleDescriptionBytesMax + 10 })),
  });
  fc.assert(
    fc.property(fc.array(issue, { minLength: 1, maxLength: 25, size: 'max' }), (texts) => {
      const issues = texts.map(({ letter, letters, ...text }) =>
        dueIssue({ ...text, description: letter.repeat(letters) }),
      );
      const parts = composeMessages(dueCluster(issues), settings, context());
      const messages = parts.map(({ body }) => parseNotificationMessage(body));
      assert.deepEqual(
        parts.flatMap((part) => part.issues.map(({ errorKey }) => errorKey)),
        issues.map(({ errorKey }) => errorKey),
      );
      for (const [index, { id, body, headers, issues: notified }] of parts.entries()) {
        assert.ok(Buffer.byteLength(body) <= bodyBytesMax);
        assert.deepEqual([messages[index]!.id, headers['rh-message-id']], [id, id]);
        assert.equal(messages[index]!.events.length, notified.length);
        // Nothing of the next would have fitted: no message is sent that need not be.
        const next = parts[index + 1];
        if (next === undefined) continue;
        const first = JSON.stringify(messages[index + 1]!.events[0]).length;
        assert.ok(Buffer.byteLength(body) + first * 6 > bodyBytesMax);
      }
      assert.equal(new Set(parts.map(({ id }) => id)).size, parts.length);
      assert.deepEqual(composeMessages(dueCluster(issues), settings, context()), parts);
    }),
    { numRuns: 40 },
  );
});

test('key, headers and body together are a record that the producer takes, however full', () => {
  const recordBytesMax = 3_000;
  const others = Array.from({ length: 4 }, (_, i) => dueIssue({ errorKey: `KEY_${i}`, description: 'ž'.repeat(200) }));
  let fullest = 0;
  // A byte more each time: among them is a message that is as full as it may be.
  for (let length = 1; length < 900; length += 1) {
    const issues = [dueIssue({ description: 'x'.repeat(length) }), ...others];
    for (const message of composeMessages(dueCluster(issues), { ...settings, recordBytesMax }, context())) {
      const { cluster: key, body: value, headers } = message;
      fullest = Math.max(fullest, prepareRecord({ topic: 't', key, value, headers }, recordBytesMax).bytes);
    }
  }
  // A cluster's name could have four bytes a character, and the last event has no comma.
  assert.equal(fullest, recordBytesMax - 36 * 3 - 1);
});

test('a message at the limit is one, a byte more makes two', () => {
  const withDescription = (bytes: number) => {
    const issues = Array.from({ length: 12 }, (_, i) => dueIssue({ description: 'x'.repeat(i < 11 ? 85_000 : bytes) }));
    return composeMessages(dueCluster(issues), settings, context());
  };
  const short = withDescription(1);
  assert.equal(short.length, 1);
  const fill = 1 + bodyBytesMax - Buffer.byteLength(short[0]!.body);
  // One byte is kept for the comma that the last event does not have.
  assert.equal(withDescription(fill - 1).length, 1);
  assert.equal(withDescription(fill).length, 2);
});

test('a description and an address of absurd length cost no notification', () => {
  const long = dueIssue({
    description: '\u0001'.repeat(ruleDescriptionBytesMax + 1),
    component: `${'x'.repeat(ruleUrlBytesMax)}.node_not_ready.report`,
  });
  const [sent] = composeMessages(dueCluster([long]), settings, context());
  const { payload } = parseNotificationMessage(sent!.body).events[0]!;
  assert.equal(payload.rule_description.length, ruleDescriptionBytesMax);
  assert.equal(payload.rule_url, `https://console.redhat.com/openshift/details/${clusterId}#insights`);
});

test('whatever cluster, rule and addresses are made of, the bytes are those of the message member by member', () => {
  const name = fc.oneof(
    fc.uuid(),
    fc.constantFrom('javascript', 'c', 'a b', 'ž', '<c>', '"', '\ue000', 'x'.repeat(40), '{module}'),
    fc.string({ minLength: 1, maxLength: 36 }),
  );
  const address = fc.constantFrom(
    '',
    'https://c/{cluster_id}',
    'http://c/{cluster_id}/{module}/{cluster_id}|{error_key}?a=1&b=<{other}>',
    'https://c/\ue000/{cluster_id}',
    '{cluster_id}:{module}',
    '/{cluster_id}',
    'javascript:{cluster_id}',
    `https://c/${'y'.repeat(ruleUrlBytesMax - 40)}/{cluster_id}`,
  );
  const texts = fc.record({
    errorKey: fc.oneof(fc.constantFrom('KEY', '<&>', '\ue000'), fc.string({ maxLength: 10 })),
    component: fc.constantFrom('a.b.report', 'a.\ue000.report', 'ü"\u2028.report'),
    description: fc.oneof(fc.constantFrom('\ue000', '<b> & \u2029', '\ud800'), fc.string()),
    totalRisk: fc.integer({ min: -1, max: 6 }),
  });
  fc.assert(
    fc.property(
      fc.array(texts, { minLength: 1, maxLength: 4 }),
      fc.array(name, { minLength: 1, maxLength: 3 }),
      fc.record({ clusterDetailsUri: address, ruleDetailsUri: address }),
      (rules, clusters, uris) => {
        const issues = rules.map(dueIssue);
        const compose = createComposer({ ...settings, ...uris });
        for (const cluster of [...clusters, ...clusters]) {
          const how = context();
          const about = dueCluster(issues, { cluster });
          const expected = {
            id: context().uuid(),
            bundle: 'openshift' as const,
            application: 'advisor' as const,
            event_type: 'new-recommendation' as const,
            timestamp: notificationTimestamp(how.now),
            account_id: '0',
            org_id: '7654321',
            events: issues.map(({ totalRisk, content, rule, errorKey, component }) => ({
              metadata: {},
              payload: {
                publish_date: publishDateOf(about.reportUpdatedAt, how.now),
                rule_description:
                  content.metadata.description.trim() === '' ? rule.plugin.name : content.metadata.description,
                rule_url: shortEnough(
                  fillUri(uris.ruleDetailsUri, {
                    cluster_id: cluster,
                    module: component.replaceAll('.', '|'),
                    error_key: errorKey,
                  }),
                  fillClusterUri(uris.clusterDetailsUri, cluster),
                ),
                total_risk: String(Math.max(0, Math.min(4, totalRisk))),
              },
            })),
            context: { display_name: cluster, host_url: fillClusterUri(uris.clusterDetailsUri, cluster) },
          };
          const [composed, wanted] = [
            attempt(() => compose(about, how)[0]!.body),
            attempt(() => serialiseNotificationMessage(expected)),
          ];
          assert.equal(composed, wanted);
        }
      },
    ),
    { numRuns: 300 },
  );
});

function shortEnough(address: string, otherwise: string): string {
  return Buffer.byteLength(address) > ruleUrlBytesMax ? otherwise : address;
}

/** What it answers, or the code of the error that it throws. */
function attempt(work: () => string): string {
  try {
    return work();
  } catch (error) {
    return (error as { code: string }).code;
  }
}
