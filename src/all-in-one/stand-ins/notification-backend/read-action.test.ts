/** The backend's strict reading and its mail: what the producer's own check lets out must pass, and what it refuses must not. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { notificationMessageExamples, serialiseNotificationMessage } from '../../../contracts/notification-message.ts';
import { createDeduplicator, messageIdOf } from './deduplicator.ts';
import { RefusedMessage, readAction } from './read-action.ts';
import { renderMail } from './render-mail.ts';

const now = new Date('2026-03-01T10:15:31Z');
const valid = notificationMessageExamples.valid[0]!;

function mailOf(value: unknown, at = now) {
  return renderMail(readAction(JSON.stringify(value)), at);
}

test('everything that our own check lets out is mailed', () => {
  for (const example of notificationMessageExamples.valid) {
    const mail = renderMail(readAction(serialiseNotificationMessage(example)), now);
    assert.equal(mail.cluster, example.context.display_name);
    assert.equal(mail.orgId, '7654321');
  }
});

test('the mail names the recommendation, its severity, its age and its link', () => {
  assert.equal(
    mailOf(valid).text,
    `The ${valid.context.display_name} has 1 new recommendation.\n${valid.context.host_url}\n\n` +
      '* Nodes report <NotReady> & pods are evicted [Important, 5 min ago]\n' +
      '  https://console.redhat.com/openshift/details/5d5892d3/insights/ccx_rules_ocp|external|rules|x|report/KEY\n',
  );
});

test('the reference’s message, without an id, is mailed too', () => {
  const { id: _, ...reference } = valid;
  assert.ok(mailOf({ ...reference, version: '2.0.0', recipients: [] }));
});

function withPayload(change: Readonly<Record<string, unknown>>) {
  const event = valid.events[0]!;
  return { ...valid, events: [{ ...event, payload: { ...event.payload, ...change } }] };
}

const refused: readonly [unknown, RegExp][] = [
  [[], /the message is no object/],
  [{ ...valid, id: 'x' }, /id is no UUID/],
  [{ ...valid, bundle: 'Open Shift' }, /bundle/],
  [{ ...valid, timestamp: 'yesterday' }, /timestamp/],
  [{ ...valid, org_id: 5 }, /org_id/],
  [{ ...valid, org_id: '0' }, /org_id/],
  [{ ...valid, account_id: 'x' }, /account_id/],
  [{ ...valid, severity: 'BAD' }, /severity/],
  [{ ...valid, events: [] }, /events/],
  [{ ...valid, events: [{ metadata: null, payload: { a: 1 } }] }, /metadata/],
  [{ ...valid, events: [{ metadata: {}, payload: {} }] }, /payload is empty/],
  [{ ...valid, context: null }, /context/],
  [{ ...valid, context: { host_url: 'x' } }, /display_name is missing/],
  [{ ...valid, context: { display_name: 'x' } }, /host_url is missing/],
  [withPayload({ rule_url: undefined }), /rule_url is missing/],
  [withPayload({ rule_description: undefined }), /rule_description is missing/],
  [withPayload({ total_risk: 3 }), /total_risk is no text/],
  [withPayload({ publish_date: '2026-03-01' }), /publish_date/],
  [withPayload({ publish_date: '2026-03-01T10:15:32Z' }), /in the future/],
  // The zone is thrown away: an hour ahead in local terms is the future.
  [withPayload({ publish_date: '2026-03-01T11:00:00+02:00' }), /in the future/],
];
for (const [value, why] of refused) {
  test(`a message is refused: ${why.source}`, () => {
    assert.throws(
      () => mailOf(value),
      (error: Error) => error instanceof RefusedMessage && why.test(error.message),
    );
  });
}

test('text that is no JSON is refused', () => {
  assert.throws(() => readAction('{'), RefusedMessage);
});

test('an id is known for a day from the message’s own time, per event type', () => {
  const deduplicator = createDeduplicator();
  const action = readAction(JSON.stringify(valid));
  const { id } = messageIdOf(action, valid.id);
  assert.equal(deduplicator.isNew(action, id, now), true);
  assert.equal(deduplicator.isNew(action, id, now), false);
  assert.equal(deduplicator.isNew({ ...action, eventType: 'other' }, id, now), true);
  assert.equal(deduplicator.isNew(action, id, new Date('2026-03-02T10:15:30.123Z')), true);
  assert.equal(deduplicator.isNew(action, undefined, now), true);
  assert.equal(deduplicator.isNew(action, undefined, now), true);
});

test('the body’s id wins, and a header that is not right is told', () => {
  const action = readAction(JSON.stringify(valid));
  assert.deepEqual(messageIdOf(action, valid.id), { id: valid.id, warning: undefined });
  assert.deepEqual(messageIdOf(action, undefined), { id: valid.id, warning: undefined });
  assert.match(messageIdOf(action, '7b6f1c1e3f0d4a559f0e2f6f7a6f1c22').warning ?? '', /no UUIDv4/);
  assert.match(messageIdOf(action, '7b6f1c1e-3f0d-4a55-9f0e-000000000000').warning ?? '', /differs/);
  assert.match(messageIdOf({ ...action, id: undefined }, undefined).warning ?? '', /no id/);
  assert.equal(messageIdOf({ ...action, id: undefined }, valid.id).id, valid.id);
});
