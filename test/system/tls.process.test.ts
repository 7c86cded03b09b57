/**
 * Every program that listens speaks TLS with the certificate that it is given: the all-in-one takes uploads and sends an archive through,
 * each role answers its probes, and the data pipeline fetches archives from an ingress by https.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { request } from 'node:https';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { freePorts } from '../../scripts/kafka/start-kafka.ts';
import {
  DEAD_LETTER_TOPICS,
  TOPIC_NOTIFICATIONS,
  TOPIC_OCP_RESULTS,
  TOPIC_PAYLOAD_STATUS,
  TOPIC_UPLOAD_ANNOUNCE,
} from '../../src/contracts/topics.ts';
import { createPostgresBus } from '../../src/platform/bus/postgres/postgres-bus.ts';
import { createSystemClock } from '../../src/platform/clock/clock.ts';
import { runCcx, startCcx } from '../support/ccx-process.ts';
import { firstCertificate, writeCertificate } from '../support/certificates.ts';
import { whyNoInstallation } from '../support/data-folder.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { until } from '../support/until.ts';

const waitMsMax = 120_000;

async function statusOf(url: string): Promise<number> {
  const asked = request(url, { ca: firstCertificate.cert, agent: false }).end();
  const [response] = await once(asked, 'response');
  response.resume();
  return response.statusCode;
}

describe('with --tls-cert and --tls-key', { skip: whyNoInstallation() }, () => {
  const folder = temporaryFolder();
  const files = writeCertificate(folder, firstCertificate);
  const flags = ['--tls-cert', files.certFile, '--tls-key', files.keyFile];

  test('the all-in-one answers by https only, and an archive goes through it', async () => {
    const process = startCcx({
      args: ['all-in-one', '--demo', '--data', join(folder, 'data'), '--port', '0', ...flags],
    });
    try {
      const [, upload = ''] = await process.waitForOutput(/uploads +(\S+)/, waitMsMax);
      const [, metrics = ''] = await process.waitForOutput(/metrics +(\S+)/, waitMsMax);
      await process.waitForOutput(/A notification arrived/, waitMsMax);
      assert.match(upload, /^https:\/\/127\.0\.0\.1:\d+\/api\/ingress\/v1\/upload$/);
      assert.equal(await statusOf(new URL('/ready', upload).href), 200);
      assert.equal(await statusOf(metrics), 200);
      await assert.rejects(fetch(upload.replace('https:', 'http:')));
    } finally {
      process.kill('SIGTERM');
      await process.exited(waitMsMax);
    }
  });

  test('each role answers its probes, and an archive goes from one to the next', async () => {
    const database = await createTestDatabase();
    const archives = join(folder, 'archives');
    await mkdir(archives);
    const [web = 0, ingress = 0, pipeline = 0, writer = 0, notifier = 0, tracker = 0, content = 0] = await freePorts(7);
    const env = {
      CCX_DATABASE_URL: database.url,
      NODE_EXTRA_CA_CERTS: files.certFile,
      INGRESS_STAGERIMPLEMENTATION: 'filebased',
      INGRESS_STORAGEFILESYSTEMPATH: archives,
      INGRESS_VALID_UPLOAD_TYPES: 'openshift',
      INGRESS_WEBPORT: String(web),
      INGRESS_METRICSPORT: String(ingress),
      INGRESS_SERVICEBASEURL: `https://127.0.0.1:${web}`,
      CCX_DATA_PIPELINE__DOWNLOAD__ALLOWED_HOSTS: `127.0.0.1:${web}`,
      CCX_DATA_PIPELINE__OPERATIONS__PORT: String(pipeline),
      CCX_NOTIFICATION_WRITER__METRICS__ADDRESS: `127.0.0.1:${writer}`,
      CCX_NOTIFICATION_WRITER__STORAGE__ENSURE_SCHEMA: 'true',
      CCX_NOTIFICATION_SERVICE__OPERATIONS__PORT: String(notifier),
    };
    const bus = ['--bus', 'postgres'];
    const probes: Readonly<Record<string, readonly [readonly string[], string]>> = {
      writer: [['writer', ...bus], `${writer}/ready`],
      tracker: [['tracker', ...bus, '--host', '127.0.0.1', '--port', String(tracker)], `${tracker}/ready`],
      ingress: [['ingress', '--host', '127.0.0.1', ...bus], `${web}/ready`],
      'data-pipeline': [['data-pipeline', ...bus], `${pipeline}/ready`],
      notifier: [['notifier', ...bus], `${notifier}/ready`],
      content: [['content', '--address', `127.0.0.1:${content}`], `${content}/ready`],
    };
    const init = await runCcx(['db', 'init'], env);
    assert.equal(init.code, 0, init.stderr);
    const embedded = await createPostgresBus({ database: database.database, clock: createSystemClock() });
    const topics = [TOPIC_UPLOAD_ANNOUNCE, TOPIC_OCP_RESULTS, TOPIC_NOTIFICATIONS, TOPIC_PAYLOAD_STATUS];
    await embedded.admin.ensureTopics([...topics, ...DEAD_LETTER_TOPICS].map((name) => ({ name, partitions: 1 })));
    await embedded.close();
    const processes = Object.values(probes).map(([args]) => startCcx({ args: [...args, ...flags], env }));
    after(async () => {
      for (const process of processes) process.kill('SIGTERM');
      for (const process of processes) await process.exited(waitMsMax);
      await database.drop();
    });
    for (const [name, [, path]] of Object.entries(probes)) {
      const ready = () => statusOf(`https://127.0.0.1:${path}`).catch(() => 0);
      await until(async () => {
        const ended = processes.find(({ child }) => child.exitCode !== null);
        assert.ok(ended === undefined, `${name} waits, ${ended?.stdout()}${ended?.stderr()}`);
        return (await ready()) === 200;
      });
    }
    assert.equal(await statusOf(`https://127.0.0.1:${ingress}/metrics`), 200);
    const upload = `https://127.0.0.1:${web}/api/ingress/v1/upload`;
    const sent = await runCcx(['simulate', '--url', upload, '--clusters', '1'], env);
    assert.equal(sent.code, 0, sent.stdout + sent.stderr);
    await until(async () => {
      const { rows } = await database.database.query<{ count: number }>(
        'SELECT count(*)::int AS count FROM new_reports',
      );
      return rows[0]!.count === 1;
    });
  });
});
