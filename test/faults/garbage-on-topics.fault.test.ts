/**
 * Garbage put directly on each topic of a running installation, as anybody who can write to the bus might: each piece gets its place (a dead
 * letter with a stable code, a refusal by the receiver, a drop that is counted), nothing is hurt, and what comes behind it goes through.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { parseDeadLetterHeaders } from '../../src/contracts/dead-letter.ts';
import {
  HEADER_SERVICE,
  SERVICE_OPENSHIFT,
  TOPIC_NOTIFICATIONS,
  TOPIC_OCP_RESULTS,
  TOPIC_PAYLOAD_STATUS,
  TOPIC_PIPELINE_DEAD_LETTERS,
  TOPIC_TRACKER_DEAD_LETTERS,
  TOPIC_UPLOAD_ANNOUNCE,
  TOPIC_WRITER_DEAD_LETTERS,
} from '../../src/contracts/topics.ts';
import { headerText, type OutgoingRecord } from '../../src/platform/bus/bus.ts';
import { simulateCluster } from '../../src/tools/cluster-simulator/simulate-cluster.ts';
import { uploadArchive } from '../../src/tools/cluster-simulator/upload-archive.ts';
import { type Installation, startInstallation } from '../support/installation.ts';
import { identityOf } from '../support/owner-identity.ts';
import { createTestDatabase } from '../support/postgres.ts';

const idleMsMax = 60_000;
const nestingBytes = 900_000;

const garbage: Readonly<Record<string, string | Buffer | null>> = {
  'no JSON': 'not JSON',
  'a number': '17',
  'a prototype': '{"__proto__":{"request_id":"x","url":"http://x"},"constructor":{"prototype":{"OrgID":1}}}',
  'NUL bytes': Buffer.from('{"request_id":"a\\u0000b","url":"\\u0000","OrgID":1,"service":"\\u0000"}\0\0'),
  '900 kB of nesting': `${'['.repeat(nestingBytes / 2)}${']'.repeat(nestingBytes / 2)}`,
  '900 kB of nested objects': `${'{"a":'.repeat(nestingBytes / 6)}1${'}'.repeat(nestingBytes / 6)}`,
  'invalid UTF-8': Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x22, 0xc3, 0x28, 0x22, 0x7d]),
  'a tombstone': null,
};

interface TopicCase {
  readonly topic: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly deadLetters: string;
  readonly codes: Readonly<Record<string, string>>;
}

/** Where the garbage of each topic goes, and the code of each piece. */
const cases: readonly TopicCase[] = [
  {
    topic: TOPIC_UPLOAD_ANNOUNCE,
    headers: { [HEADER_SERVICE]: SERVICE_OPENSHIFT },
    deadLetters: TOPIC_PIPELINE_DEAD_LETTERS,
    codes: {
      'no JSON': 'ANNOUNCEMENT_NOT_JSON',
      'a number': 'ANNOUNCEMENT_SCHEMA',
      'a prototype': 'ANNOUNCEMENT_SCHEMA',
      'NUL bytes': 'ANNOUNCEMENT_NOT_JSON',
      '900 kB of nesting': 'ANNOUNCEMENT_SCHEMA',
      '900 kB of nested objects': 'ANNOUNCEMENT_SCHEMA',
      'invalid UTF-8': 'ANNOUNCEMENT_NOT_JSON',
      'a tombstone': 'ANNOUNCEMENT_MISSING',
    },
  },
  {
    topic: TOPIC_OCP_RESULTS,
    deadLetters: TOPIC_WRITER_DEAD_LETTERS,
    codes: {
      'no JSON': 'REPORT_NOT_JSON',
      'a number': 'REPORT_WRONG_TYPE',
      'a prototype': 'REPORT_MISSING_ATTRIBUTE',
      'NUL bytes': 'REPORT_NOT_JSON',
      '900 kB of nesting': 'REPORT_NOT_JSON',
      '900 kB of nested objects': 'REPORT_NOT_JSON',
      'invalid UTF-8': 'REPORT_MISSING_ATTRIBUTE',
      'a tombstone': 'REPORT_NOT_JSON',
    },
  },
  {
    topic: TOPIC_PAYLOAD_STATUS,
    deadLetters: TOPIC_TRACKER_DEAD_LETTERS,
    codes: {
      'no JSON': 'STATUS_NOT_JSON',
      'a number': 'STATUS_NOT_JSON',
      'a prototype': 'STATUS_MISSING_MEMBER',
      'NUL bytes': 'STATUS_NOT_JSON',
      '900 kB of nesting': 'STATUS_NOT_JSON',
      '900 kB of nested objects': 'STATUS_MISSING_MEMBER',
      'invalid UTF-8': 'STATUS_MISSING_MEMBER',
      'a tombstone': 'STATUS_NOT_JSON',
    },
  },
];

describe('garbage on a topic', () => {
  let installation: Installation;
  before(async () => {
    installation = await startInstallation({ database: await createTestDatabase() });
  });
  after(() => installation?.end());

  const send = async (records: readonly OutgoingRecord[]) => {
    const producer = await installation.bus.createProducer();
    await producer.send(records);
    await producer.close();
  };
  const assertGoodOneArrives = async (seed: string) => {
    const { ingress, clock, events } = installation;
    const cluster = simulateCluster({ seed, now: clock.now(), findings: ['MCP_SET_TO_PAUSE'] });
    const { clusterId, archive, gatheredAt } = cluster;
    const identity = identityOf(clusterId);
    const answer = await uploadArchive({ url: ingress.uploadUrl, archive, clusterId, gatheredAt, identity });
    assert.equal(answer.status, 202);
    await events.wait('notification-delivered', { target: 'notification-backend', cluster: clusterId });
    await events.wait('notification-delivered', { target: 'service-log', cluster: clusterId });
  };

  for (const { topic, headers, deadLetters, codes } of cases) {
    test(`G3, G11, G12: ${topic}: each piece is dead-lettered as it came, and good messages pass`, async () => {
      await send(Object.values(garbage).map((value) => ({ topic, value, ...(headers && { headers }) })));
      await assertGoodOneArrives(topic);
      assert.equal(await installation.waitUntilIdle(idleMsMax), true);
      const letters = await installation.readTopic(deadLetters);
      const found: Record<string, string | undefined> = {};
      for (const [what, value] of Object.entries(garbage)) {
        const letter = letters.find((one) =>
          value === null ? one.value === null : one.value?.equals(Buffer.from(value as string)),
        );
        found[what] = letter && parseDeadLetterHeaders((name) => headerText(letter, name))?.code;
      }
      assert.deepEqual(found, codes);
      assert.equal(letters.length, Object.keys(garbage).length);
    });
  }

  test(`${TOPIC_UPLOAD_ANNOUNCE}: what is for another service is not looked at`, async () => {
    const before = (await installation.readTopic(TOPIC_PIPELINE_DEAD_LETTERS)).length;
    const headers = { [HEADER_SERVICE]: 'advisor' };
    await send(Object.values(garbage).map((value) => ({ topic: TOPIC_UPLOAD_ANNOUNCE, value, headers })));
    await assertGoodOneArrives('another service');
    assert.equal(await installation.waitUntilIdle(idleMsMax), true);
    assert.equal((await installation.readTopic(TOPIC_PIPELINE_DEAD_LETTERS)).length, before);
    assert.equal(installation.events.seen('announcement-dropped', { reason: 'other-service' }).length, 8);
  });

  test(`${TOPIC_NOTIFICATIONS}: the receiver refuses each piece with a reason`, async () => {
    const { standIns } = installation;
    await send(Object.values(garbage).map((value) => ({ topic: TOPIC_NOTIFICATIONS, value })));
    await assertGoodOneArrives('refused');
    assert.equal(await installation.waitUntilIdle(idleMsMax), true);
    const refused = standIns.backend!.received().filter(({ outcome }) => outcome === 'refused');
    assert.equal(refused.length, Object.keys(garbage).length);
    for (const { note } of refused) assert.ok((note?.length ?? 0) > 0);
  });

  test('G12: behind all of it no prototype has changed and every service is ready', async () => {
    assert.equal(({} as Record<string, unknown>)['request_id'], undefined);
    assert.equal(({} as Record<string, unknown>)['OrgID'], undefined);
    const { reasons } = await installation.readiness();
    assert.deepEqual(reasons, []);
    assert.equal(installation.events.seen('unexpected-failure').length, 0);
  });
});
