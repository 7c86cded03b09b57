/** The judge of the fault tests: silent about what is right, and not about any single thing that is wrong. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { complaintsAbout, complaintsAboutNotifications, type Expectation } from './check-promises.ts';
import type { Evidence } from './evidence.ts';

const at = '2026-11-21T16:00:00.000000000Z';
const uploads: Expectation['uploads'] = [
  { cluster: 'c1', findings: ['A', 'B'], accepted: ['r1'] },
  { cluster: 'c2', findings: [], accepted: ['r2'] },
];
const backend = { target: 1, cluster: 'c1' };
const serviceLog = { target: 2, cluster: 'c1' };

const kept: Evidence = {
  announcements: [
    { requestId: 'r1', at },
    { requestId: 'r2', at },
  ],
  reports: [
    { cluster: 'c1', requestId: 'r1', lastChecked: at },
    { cluster: 'c2', requestId: 'r2', lastChecked: at },
  ],
  recordsWithoutReport: 0,
  traced: ['r1', 'r2'],
  deadLetters: [],
  outbox: [
    { ...backend, id: 'm1', state: 'delivered', waits: false, issues: ['B', 'A'], reportedAt: 't1' },
    { ...serviceLog, id: 'm2', state: 'delivered', waits: false, issues: ['A'], reportedAt: 't2' },
    { ...serviceLog, id: 'm3', state: 'delivered', waits: false, issues: ['B'], reportedAt: 't2' },
  ],
  ledger: [
    { ...backend, issue: 'A', state: 'notified', id: 'm1', reportedAt: 't1' },
    { ...backend, issue: 'B', state: 'notified', id: 'm1', reportedAt: 't1' },
    { ...serviceLog, issue: 'A', state: 'notified', id: 'm2', reportedAt: 't2' },
    { ...serviceLog, issue: 'B', state: 'notified', id: 'm3', reportedAt: 't2' },
  ],
  reported: [
    { ...backend, state: 1, notifiedAt: 't1' },
    { ...serviceLog, state: 1, notifiedAt: 't2' },
    { target: 1, cluster: 'c2', state: 2, notifiedAt: 't3' },
  ],
  happened: [
    ...['c1 A appeared', 'c1 B appeared', 'c1 B notified 1 m1', 'c1 A notified 1 m1'],
    ...['c1 A notified 2 m2', 'c1 B notified 2 m3'],
  ],
  audited: [],
  lags: [],
  wire: [
    { ...backend, id: 'm1', issues: ['A', 'B'], body: 'one' },
    { ...serviceLog, id: 'm2', issues: ['A'], body: 'two' },
    { ...serviceLog, id: 'm3', issues: ['B'], body: 'three' },
  ],
  refused: [],
  leftovers: [],
};

test('what was kept gives no complaint, nor does a repeat with the same id and the same bytes', () => {
  assert.deepEqual(complaintsAbout(kept, { uploads }), []);
  assert.deepEqual(complaintsAbout({ ...kept, wire: [...kept.wire, kept.wire[0]!] }, { uploads }), []);
});

test('the same archive under two request ids is two reports and one notification', () => {
  const again = { requestId: 'r3', at };
  const evidence = {
    ...kept,
    announcements: [...kept.announcements, again],
    reports: [...kept.reports, { cluster: 'c1', requestId: 'r3', lastChecked: at }],
  };
  assert.deepEqual(complaintsAbout(evidence, { uploads }), []);
});

const broken: Readonly<Record<string, readonly [Partial<Evidence>, RegExp]>> = {
  'an accepted upload has no row': [{ reports: kept.reports.slice(0, 1) }, /no row of new_reports for .*r2/],
  'an announcement has two rows': [{ reports: [...kept.reports, kept.reports[1]!] }, /2 rows of new_reports/],
  'a row was never announced': [{ announcements: kept.announcements.slice(0, 1) }, /never announced/],
  'a row is not traced': [{ traced: ['r1'] }, /no trace/],
  'a record has lost its row': [{ recordsWithoutReport: 1 }, /without their row/],
  'something was dead-lettered': [{ deadLetters: [{ code: 'X', requestId: 'r1', topic: 't' }] }, /dead letter X/],
  'a message waits': [{ outbox: [{ ...kept.outbox[0]!, state: 'pending' }, ...kept.outbox.slice(1)] }, /not delivered/],
  'a message never arrived': [{ wire: kept.wire.slice(0, 2) }, /never arrived/],
  'a message was never decided': [{ wire: [...kept.wire, { ...kept.wire[0]!, id: 'm9' }] }, /never decided/],
  'an issue was told under two ids': [{ wire: [...kept.wire, { ...kept.wire[1]!, id: 'm9' }] }, /under 2 ids/],
  'an entry was posted twice': [{ wire: [...kept.wire, kept.wire[2]!] }, /posted 2 times/],
  'a repeat has other bytes': [{ wire: [...kept.wire, { ...kept.wire[0]!, body: 'else' }] }, /repeats of .* differ/],
  'a message tells of something else': [
    { wire: [{ ...kept.wire[0]!, issues: ['A'] }, ...kept.wire.slice(1)] },
    /tells of A, not of/,
  ],
  'its history knows nothing of it': [{ happened: kept.happened.slice(1) }, /0 times .*: c1 A appeared/],
  'its history has it twice': [
    { happened: [...kept.happened, 'c1 A notified 2 m2'] },
    /2 times .*: c1 A notified 2 m2/,
  ],
  'its history has what nobody sent': [
    { happened: [...kept.happened, 'c1 A notified 2 m9'] },
    /1 times .*: c1 A notified 2 m9/,
  ],
  'the ledger knows nothing of it': [
    { ledger: [{ ...kept.ledger[0]!, state: 'pending' }, ...kept.ledger.slice(1)] },
    /pending in the ledger/,
  ],
  'reported knows nothing of it': [{ reported: kept.reported.slice(1) }, /no sent row in reported/],
  'reported knows it twice': [{ reported: [...kept.reported, kept.reported[0]!] }, /2 sent rows/],
  'reported has an error': [{ reported: [...kept.reported, { ...backend, state: 4, notifiedAt: 't4' }] }, /error row/],
  'the auditor finds something': [{ audited: ['I1 never-due: m1'] }, /the auditor found I1 never-due/],
  'a group has not read everything': [{ lags: ['g t/0: 1 of 2'] }, /not read to its end/],
  'a receiver has refused something': [{ refused: ['no id'] }, /refused by a receiver/],
  'a file was left': [{ leftovers: ['objects/.unfinished/x'] }, /left behind/],
};

for (const [what, [change, complaint]] of Object.entries(broken)) {
  test(`${what}: that is a complaint`, () => {
    assert.match(complaintsAbout({ ...kept, ...change }, { uploads }).join('\n'), complaint);
  });
}

test('of notifications alone each has to end as it is said, and no process tells a secret or writes elsewhere', () => {
  const evidence = { ...kept, leaks: [], strays: [] };
  const told = [{ cluster: 'c1', findings: ['A', 'B'] }];
  assert.deepEqual(complaintsAboutNotifications(evidence, { told }), []);
  const dead = { ...kept.outbox[0]!, id: 'm4', state: 'dead', issues: ['C'], reportedAt: null };
  const withDead = { ...evidence, outbox: [...kept.outbox, dead] };
  assert.deepEqual(complaintsAboutNotifications(withDead, { told, endings: { dead: 1 } }), []);
  const complaints: readonly (readonly [typeof evidence, RegExp])[] = [
    [withDead, /1 messages are dead, not 0/],
    [{ ...withDead, outbox: [...kept.outbox, { ...dead, waits: true }] }, /1 messages are dead and wait all the same/],
    [{ ...evidence, wire: kept.wire.slice(1) }, /A of cluster c1 for target 1 is due and was not told/],
    [{ ...evidence, reported: kept.reported.slice(1) }, /no sent row/],
    [{ ...evidence, ledger: kept.ledger.map((row) => ({ ...row, id: 'm9' })) }, /counts as notified by m9/],
    [{ ...evidence, leaks: ['ccx notifier: password'] as never[] }, /a secret was told/],
    [{ ...evidence, strays: ['.cache/x'] as never[] }, /written outside the work folder/],
  ];
  for (const [changed, complaint] of complaints)
    assert.match(complaintsAboutNotifications(changed, { told }).join('\n'), complaint);
});

test('what has to be dead-lettered must be, each upload with its code, and is no report', () => {
  const bad = [...uploads, { cluster: 'c3', findings: [], accepted: ['r3'], putAside: 'X' }];
  const announced = { ...kept, announcements: [...kept.announcements, { requestId: 'r3', at }] };
  const letter = { code: 'X', requestId: 'r3', topic: 't' };
  assert.deepEqual(complaintsAbout({ ...announced, deadLetters: [letter] }, { uploads: bad }), []);
  assert.deepEqual(complaintsAbout({ ...announced, deadLetters: [letter, letter] }, { uploads: bad }), []);
  assert.match(complaintsAbout(announced, { uploads: bad }).join('\n'), /no dead letter X of request r3/);
  const stored = { cluster: 'c3', requestId: 'r3', lastChecked: at };
  const both = { ...announced, deadLetters: [letter], reports: [...kept.reports, stored] };
  assert.match(complaintsAbout(both, { uploads: bad }).join('\n'), /a row of new_reports for cluster c3/);
  const garbage = { ...kept, deadLetters: [{ code: 'G', requestId: '', topic: 't' }] };
  assert.deepEqual(complaintsAbout(garbage, { uploads, garbage: ['G'] }), []);
  assert.match(complaintsAbout(kept, { uploads, garbage: ['G'] }).join('\n'), /no dead letter G/);
});
