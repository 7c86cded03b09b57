/**
 * The kill points that need trouble to be reached: announcements that wait for a bus that is away, messages that are dead-lettered, reports that
 * come twice. The others are in `kill-everywhere.fault.test.ts`.
 */
import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { TOPIC_OCP_RESULTS } from '../../src/contracts/topics.ts';
import { createPostgresBus } from '../../src/platform/bus/postgres/postgres-bus.ts';
import { createSystemClock } from '../../src/platform/clock/clock.ts';
import { whyNoInstallation } from '../support/data-folder.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { complaintsAbout, type Expectation } from './check-promises.ts';
import {
  createFaultyInstallation,
  createTemplate,
  type FaultyInstallation,
  type Template,
} from './faulty-installation.ts';
import { runKillScenario } from './kill-scenario.ts';

const clock = createSystemClock();
const endMsMax = 30_000;

describe('killed behind trouble', { concurrency: 2, skip: whyNoInstallation() }, () => {
  let template: Template;
  before(async () => {
    template = await createTemplate();
  });
  after(() => template.remove());

  test('an announcement that waits for the bus is neither lost by a kill nor sent twice as something new', async () => {
    const { url, drop } = await createTestDatabase();
    const { hostname, port } = new URL(url);
    const proxy = await startTcpProxy({ host: hostname, port: Number(port) });
    const throughProxy = new URL(url);
    throughProxy.port = String(proxy.port);
    const database = { url: throughProxy.toString(), directUrl: url };
    const installation = await createFaultyInstallation({ template, seed: 'kept', database });
    const kept = () => readdir(join(installation.folder, 'objects', 'outbox'));
    try {
      const [answered, cutOff] = [installation.gather(), installation.gather()];
      const first = installation.run({ killAt: 'ingress/announcement-kept:2' });
      const uploadUrl = await first.uploadUrl;
      proxy.cut();
      assert.equal(await installation.upload(answered, uploadUrl!, 'same-id'), true, 'accepted while the bus is away');
      assert.equal(await installation.upload(cutOff, uploadUrl!, 'same-id'), false);
      assert.equal((await first.process.exited(endMsMax)).signal, 'SIGKILL');
      assert.equal((await kept()).length, 2);

      proxy.restore();
      const second = installation.run({ killAt: 'ingress/announcement-relayed:1' });
      await second.uploadUrl;
      assert.equal((await second.process.exited(endMsMax)).signal, 'SIGKILL');
      await installation.endLeases();
      assert.ok((await kept()).length >= 1, 'something was left to be sent again');
      await installation.runToEnd([cutOff]);
      assert.deepEqual(await kept(), []);
      await assertKept(installation);
    } finally {
      await installation.remove();
      await proxy.close();
      await drop();
    }
  });

  test('what is dead-lettered stays so when the process dies right behind that, and all else arrives', async () => {
    const installation = await createFaultyInstallation({ template, seed: 'dead-lettered' });
    try {
      const good = installation.gather();
      const broken = installation.gather({ archive: Buffer.alloc(2_000, 'x'), code: 'ARCHIVE_FORMAT_UNSUPPORTED' });
      const first = installation.run({ killAt: 'data-pipeline/message-dead-lettered:1' });
      const url = (await first.uploadUrl)!;
      await Promise.all([good, broken].map((gathering) => installation.upload(gathering, url, 'same-id')));
      assert.equal((await first.process.exited(endMsMax)).signal, 'SIGKILL');
      await installation.endLeases();

      const second = installation.run({ killAt: 'writer/message-dead-lettered:1' });
      await second.uploadUrl;
      await installation.withDatabase(async (database) => {
        const bus = await createPostgresBus({ database, clock, retentionEveryMs: 0 });
        const producer = await bus.createProducer();
        await producer.send([{ topic: TOPIC_OCP_RESULTS, value: 'no report' }]);
        await producer.close();
        await bus.close();
      });
      assert.equal((await second.process.exited(endMsMax)).signal, 'SIGKILL');
      await installation.endLeases();
      await installation.runToEnd(installation.waiting(), { deadLetters: true });
      await assertKept(installation, { garbage: ['REPORT_NOT_JSON'] });
    } finally {
      await installation.remove();
    }
  });

  test('a process whose embedded PostgreSQL dies says so and ends, and the next start goes on', async () => {
    const installation = await createFaultyInstallation({ template, seed: 'server gone' });
    try {
      const { process, uploadUrl } = installation.run();
      const url = (await uploadUrl)!;
      const gatherings = [installation.gather(), installation.gather(), installation.gather()];
      await installation.upload(gatherings[0]!, url, 'same-id');
      const uploads = gatherings.slice(1).map((gathering) => installation.upload(gathering, url, 'same-id'));
      await installation.killServer();
      await Promise.all(uploads);
      assert.deepEqual(await process.exited(endMsMax), { code: 1, signal: null });
      assert.match(process.stderr(), /PostgreSQL ended/);
      await installation.endLeases();
      await installation.runToEnd(installation.waiting());
      await assertKept(installation);
    } finally {
      await installation.remove();
    }
  });

  test('a report that comes again is recognised, also when the process dies right behind that', async () => {
    const kills = ['writer/report-stored:1', 'writer/report-repeated:1'].map((at) => ({ at, withServer: false }));
    const { complaints } = await runKillScenario(template, {
      ...{ name: 'repeated', kills, retry: 'new-id', waitsForLeases: false },
    });
    assert.deepEqual(complaints, []);
  });
});

async function assertKept(installation: FaultyInstallation, more: Pick<Expectation, 'garbage'> = {}): Promise<void> {
  const { evidence, leftProcesses } = await installation.collect();
  assert.deepEqual(complaintsAbout(evidence, { uploads: installation.uploads(), ...more }), []);
  assert.deepEqual(leftProcesses, []);
}
