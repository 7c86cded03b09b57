/** The message for the notifications backend: what is accepted, what is refused, and the exact bytes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  checkNotificationMessage,
  notificationMessageExamples,
  notificationTimestamp,
  parseNotificationMessage,
  publishDateOf,
  serialiseNotificationMessage,
} from './notification-message.ts';

test('every valid example survives the way over the wire unchanged', () => {
  for (const example of notificationMessageExamples.valid) {
    assert.deepEqual(parseNotificationMessage(serialiseNotificationMessage(example)), example);
  }
});

for (const { why, value } of notificationMessageExamples.invalid) {
  test(`a message is refused before it is sent: ${why}`, () => {
    assert.throws(() => checkNotificationMessage(value), { code: 'NOTIFICATION_INVALID' });
  });
}

test('the error names the member at fault and shows no value', () => {
  const value = { ...notificationMessageExamples.valid[0]!, org_id: 'hunter2' };
  assert.throws(
    () => checkNotificationMessage(value),
    (error: Error) => {
      assert.match(error.message, /org_id/);
      assert.doesNotMatch(error.message, /hunter2/);
      return true;
    },
  );
});

test('text that is not JSON is refused with the same code', () => {
  assert.throws(() => parseNotificationMessage('{"id":'), { code: 'NOTIFICATION_INVALID' });
});

test('a document of ten thousand levels is refused without harm', () => {
  const deep = `${'{"context":'.repeat(10_000)}1${'}'.repeat(10_000)}`;
  assert.throws(() => parseNotificationMessage(deep), { code: 'NOTIFICATION_INVALID' });
});

test('members named like parts of a prototype are refused and change nothing', () => {
  const text = serialiseNotificationMessage(notificationMessageExamples.valid[0]!);
  for (const name of ['__proto__', 'constructor']) {
    const hostile = `${text.slice(0, -1)},"${name}":{"polluted":true}}`;
    assert.throws(() => parseNotificationMessage(hostile), { code: 'NOTIFICATION_INVALID' }, name);
  }
  assert.equal(({} as { polluted?: boolean }).polluted, undefined);
});

test('the members are in the order of the reference, and HTML characters are escaped as Go does', () => {
  assert.equal(
    serialiseNotificationMessage(backwards(notificationMessageExamples.valid[0]!)),
    '{"id":"7b6f1c1e-3f0d-4a55-9f0e-2f6f7a6f1c22","bundle":"openshift","application":"advisor","event_type":"new-recommendation",' +
      '"timestamp":"2026-03-01T10:15:30.123456Z","account_id":"0","org_id":"7654321","events":[{"metadata":{},"payload":{' +
      '"publish_date":"2026-03-01T10:10:00Z","rule_description":"Nodes report \\u003cNotReady\\u003e \\u0026 pods are evicted",' +
      '"rule_url":"https://console.redhat.com/openshift/details/5d5892d3/insights/ccx_rules_ocp|external|rules|x|report/KEY",' +
      '"total_risk":"3"}}],"context":{"display_name":"5d5892d3-1f74-4ccf-91af-548dfc9767aa",' +
      '"host_url":"https://console.redhat.com/openshift/details/5d5892d3-1f74-4ccf-91af-548dfc9767aa#insights"}}',
  );
});

/** The same message with its members in another order, at every depth. */
function backwards<T>(value: T): T {
  if (Array.isArray(value)) return value.map(backwards) as T;
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value).reverse();
  return Object.fromEntries(members.map(([name, member]) => [name, backwards(member)])) as T;
}

test('trailing zeros of a fraction are dropped, and the dot with them', () => {
  assert.equal(notificationTimestamp(new Date('2026-01-02T03:04:05.120Z')), '2026-01-02T03:04:05.12Z');
  assert.equal(notificationTimestamp(new Date('2026-01-02T03:04:05.000Z')), '2026-01-02T03:04:05Z');
  assert.equal(notificationTimestamp(new Date('2026-01-02T03:04:00.007Z')), '2026-01-02T03:04:00.007Z');
});

test('publish_date is the report time to the microsecond', () => {
  const now = new Date('2026-01-02T04:00:00Z');
  assert.equal(publishDateOf('2026-01-02 03:04:05.120000', now), '2026-01-02T03:04:05.12Z');
  assert.equal(publishDateOf('2026-01-02 03:04:05.123456', now), '2026-01-02T03:04:05.123456Z');
  assert.equal(publishDateOf('2026-01-02 03:04:05', now), '2026-01-02T03:04:05Z');
});

test('publish_date is never later than now minus five seconds', () => {
  const now = new Date('2026-01-02T03:04:10.500Z');
  assert.equal(publishDateOf('2026-01-02 03:04:05.5', now), '2026-01-02T03:04:05.5Z');
  assert.equal(publishDateOf('2026-01-02 03:04:05.500001', now), '2026-01-02T03:04:05.5Z');
  assert.equal(publishDateOf('2027-01-01 00:00:00', now), '2026-01-02T03:04:05.5Z');
  assert.equal(publishDateOf('infinity', now), '2026-01-02T03:04:05.5Z');
  assert.equal(publishDateOf('0044-03-15 12:00:00 BC', now), '2026-01-02T03:04:05.5Z');
});

test('any text in a description gives valid UTF-8 JSON that reads back as well-formed text', () => {
  const valid = notificationMessageExamples.valid[0]!;
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.constantFrom('', '\ud800', '\udc00'), (text, lone) => {
      const event = valid.events[0]!;
      const description = `${text}${lone}`;
      const message = {
        ...valid,
        events: [{ ...event, payload: { ...event.payload, rule_description: description } }],
      };
      const body = serialiseNotificationMessage(message);
      assert.doesNotMatch(body, /[<>&\u2028\u2029]/);
      const sent = parseNotificationMessage(Buffer.from(body, 'utf8').toString('utf8'));
      assert.equal(sent.events[0]!.payload.rule_description, description.toWellFormed());
    }),
  );
});
