/** Which instances live, which are missed, and which are nobody's concern any more. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RoleRecord } from '../../platform/records/role-record.ts';
import { listRoles, troublesOf, versionsOf } from './list-roles.ts';

const record = (change: Partial<RoleRecord> = {}): RoleRecord => ({
  ...{ instance: 'i', role: 'writer', version: '1.0.0', host: 'a', pid: 1, unseenSeconds: 5 },
  ...{ startedAt: '2026-11-26T10:00:00Z', lastSeenAt: '2026-11-26T12:00:00Z', state: { ready: true } },
  ...change,
});
const lives = (records: readonly RoleRecord[]) => listRoles(records, { all: true }).map(({ life }) => life);

test('an instance is alive until it was not seen for 30 seconds', () => {
  assert.deepEqual(lives([record({ unseenSeconds: 29.9 }), record({ unseenSeconds: 30 })]), ['alive', 'stale']);
  assert.deepEqual(lives([record({ unseenSeconds: -3 })]), ['alive'], 'the clock of the database was set back');
});

test('one that was stopped is not missed, nor one whose successor runs on its host', () => {
  const dead = record({ unseenSeconds: 600 });
  assert.deepEqual(lives([record({ unseenSeconds: 600, state: { stopped: true } })]), ['stopped']);
  const next = record({ startedAt: '2026-11-26T12:00:00.5Z', unseenSeconds: 1 });
  assert.deepEqual(lives([next, dead]), ['alive', 'replaced']);
  for (const other of [{ host: 'b' }, { role: 'tracker' }, { startedAt: '2026-11-26T11:00:00Z' }])
    assert.deepEqual(lives([{ ...next, ...other }, dead]), ['alive', 'stale']);
  assert.deepEqual(
    listRoles([next, dead], { all: false }).map(({ life }) => life),
    ['alive'],
  );
});

test('versions of what lives are told apart, each role once', () => {
  const records = [
    record({ role: 'writer' }),
    record({ role: 'writer', host: 'b' }),
    record({ role: 'notifier', version: '0.9.0' }),
    record({ role: 'tracker', version: '0.8.0', unseenSeconds: 90 }),
  ];
  assert.deepEqual(versionsOf(listRoles(records, { all: true })), [
    { version: '0.9.0', roles: ['notifier'] },
    { version: '1.0.0', roles: ['writer'] },
  ]);
});

test('what is wrong with a role is said, also where it is ready; of what is gone nothing is', () => {
  const state = {
    ready: true,
    reasons: ['no run has ended yet'],
    targets: [
      { name: 'service-log', messages: [] },
      {
        name: 'notification-backend',
        pausedUntil: '2026-11-26T16:14:08Z',
        code: 'BUS_TOPIC_UNKNOWN',
        text: 'no topic',
      },
    ],
    quarantine: [{ rule: 'a.rule', for: 'all clusters', seconds: 90 }],
  };
  const troubles = (change: Partial<RoleRecord>) => listRoles([record(change)], { all: true }).flatMap(troublesOf);
  assert.deepEqual(troubles({ state }), [
    'no run has ended yet',
    'notification-backend is paused until 2026-11-26T16:14:08Z: no topic [BUS_TOPIC_UNKNOWN]',
    'rule a.rule is left out for all clusters, 90 s more',
  ]);
  assert.deepEqual(troubles({ state, unseenSeconds: 600 }), []);
  assert.deepEqual(troubles({ state: { ready: true, reasons: null, targets: ['x', null], quarantine: 'none' } }), []);
});
