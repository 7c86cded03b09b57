/** What archives tell of alerts and operators, and that each is opened once. */
import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { packArchive } from '../platform/archive/pack-archive.ts';
import { archiveConditions } from './archive-conditions.ts';

const conditions = (...of: readonly (readonly [string, string, string])[]) => ({
  status: { conditions: of.map(([type, status, reason]) => ({ type, status, reason })) },
});
const operator = (name: string, body: object) => ({
  path: `config/clusteroperator/${name}.json`,
  body: JSON.stringify({ metadata: { name }, ...body }),
});
const alerts = [
  {
    labels: { alertname: 'etcdNoLeader', namespace: 'openshift-etcd', severity: 'critical' },
    status: { state: 'active' },
  },
  { labels: { alertname: 'Watchdog', severity: 'none' }, status: { state: 'active' } },
];
/** By which an archive shows where its root is. */
const gathers = { path: 'insights-operator/gathers.json', body: '{}' };
const archives: Readonly<Record<string, Buffer>> = {
  whole: packArchive([
    gathers,
    { path: 'config/alerts.json', body: JSON.stringify(alerts) },
    operator('dns', conditions(['Available', 'True', ''], ['Degraded', 'False', ''])),
    operator('etcd', conditions(['Available', 'False', 'NoQuorum'], ['Degraded', 'True', 'x'.repeat(5_000)])),
    operator('odd', conditions(['Available', 'Unknown', ''], ['Degraded', 'Unknown', ''])),
  ]),
  'nothing-of-it': packArchive([gathers, { path: 'config/version.json', body: '{}' }]),
  broken: Buffer.from('no archive at all'),
  'ingress/keys': packArchive([gathers, { path: 'config/alerts.json', body: '[]' }]),
};

function stored() {
  const opened: string[] = [];
  const read = archiveConditions({
    async get(key) {
      opened.push(key);
      const body = archives[key];
      if (body === undefined) return undefined;
      return { object: { key, sizeBytes: body.length, storedAt: new Date(0) }, body: Readable.from([body]) };
    },
  });
  return { read, opened };
}

test('firing alerts and the operators that fail, with why', async () => {
  assert.deepEqual(await stored().read('whole'), {
    alerts: [
      { name: 'etcdNoLeader', namespace: 'openshift-etcd', severity: 'critical' },
      { name: 'Watchdog', namespace: '', severity: 'none' },
    ],
    operators: [
      { name: 'etcd', condition: 'Not Available', reason: 'NoQuorum' },
      { name: 'etcd', condition: 'Degraded', reason: 'x'.repeat(256) },
    ],
  });
});

test('an archive that is gone, broken, about something else or none of a request tells nothing', async () => {
  const { read, opened } = stored();
  for (const id of ['gone', 'broken', 'nothing-of-it', 'ingress/keys', '']) assert.equal(await read(id), undefined, id);
  assert.deepEqual(opened, ['gone', 'broken', 'nothing-of-it'], 'what is not of a request is not even looked for');
});

test('an archive is opened once, and one that fails is not in the way of the next', async () => {
  const { read, opened } = stored();
  const [first, second] = await Promise.all([read('whole'), read('whole')]);
  assert.deepEqual([first, opened.length], [second, 1]);
  let isAway = true;
  const failing = archiveConditions({
    async get() {
      if (isAway) throw new Error('the bucket is away');
      return undefined;
    },
  });
  await assert.rejects(failing('whole'), /away/);
  isAway = false;
  assert.equal(await failing('whole'), undefined);
});
