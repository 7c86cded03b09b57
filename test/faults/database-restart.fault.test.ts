/**
 * PostgreSQL, and with it the embedded bus, goes away under load and comes back on the same folder and port: uploads are accepted all the
 * while or tried again, nothing is lost, nothing is told under a second id, and the process recovers without being started again.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createSystemClock } from '../../src/platform/clock/clock.ts';
import { createDatabaseIfMissing } from '../../src/platform/database/embedded/start-embedded-postgres.ts';
import { whyNoInstallation } from '../support/data-folder.ts';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts';
import { until } from '../support/until.ts';
import { complaintsAbout } from './check-promises.ts';
import { createFaultyInstallation, type FaultyInstallation } from './faulty-installation.ts';
import { startRestartableServer } from './restartable-server.ts';
import { assertSettles, uploadAll } from './uploads-that-settle.ts';

const clock = createSystemClock();
const endMsMax = 30_000;

/** What happens to the database while uploads come in. */
interface Trouble {
  readonly installation: FaultyInstallation;
  readonly proxy: TcpProxy;
  /** SIGKILL, and a start on the same folder and port after so long. */
  restartServer(afterMs: number): Promise<void>;
  /** What `/ready` answers. */
  readiness(): Promise<{ readonly ready: boolean; readonly reasons: readonly string[] }>;
}

const troubles: Readonly<Record<string, (trouble: Trouble) => Promise<void>>> = {
  async 'is killed and started again at once'({ restartServer }) {
    await restartServer(0);
    await clock.sleep(500);
    await restartServer(0);
  },
  async 'is killed and comes back after five seconds'({ restartServer, readiness }) {
    const back = restartServer(5_000);
    await until(async () => (await readiness()).reasons.length > 0);
    await back;
  },
  async 'drops every connection of the bus, several times'({ installation }) {
    for (let round = 0; round < 6; round += 1) {
      await installation.withDatabase((database) =>
        database.query(
          `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'ccx all-in-one topics'`,
        ),
      );
      await clock.sleep(200);
    }
  },
  async 'cannot be reached for two seconds'({ proxy }) {
    proxy.cut();
    await clock.sleep(2_000);
    proxy.restore();
  },
};

/** Most of the time they wait. */
const concurrency = 4;

describe('a database that', { concurrency, skip: whyNoInstallation() }, () => {
  for (const [title, trouble] of Object.entries(troubles)) {
    test(`F8: ${title} costs nothing but time`, async () => {
      const server = await startRestartableServer();
      const directUrl = await createDatabaseIfMissing(server.url, 'notification');
      const proxy = await startTcpProxy({ host: '127.0.0.1', port: server.port });
      const url = new URL(directUrl);
      url.port = String(proxy.port);
      const database = { url: url.toString(), directUrl };
      const installation = await createFaultyInstallation({ seed: title, database });
      try {
        const { process, uploadUrl } = installation.run();
        const address = (await uploadUrl)!;
        const [, readyUrl = ''] = await process.waitForOutput(/readiness +(http\S+)/, endMsMax);
        const readiness = async () => (await fetch(readyUrl)).json() as ReturnType<Trouble['readiness']>;
        const ended = new AbortController();
        process.child.once('exit', () => ended.abort(new Error(`it ended:\n${process.stdout()}\n${process.stderr()}`)));
        const disturb = async () => {
          await until(() => installation.uploads().length - installation.waiting().length >= 3);
          const restartServer = (afterMs: number) => server.restart('killed', afterMs);
          await trouble({ installation, proxy, restartServer, readiness });
        };
        await Promise.all([uploadAll(installation, { url: address, ended: ended.signal }), disturb()]);
        await assertSettles(installation);
        assert.deepEqual(await readiness(), { ready: true, reasons: [] });
        process.kill('SIGTERM');
        assert.equal((await process.exited(endMsMax)).code, 0, process.stderr());
        const { evidence, leftProcesses } = await installation.collect();
        assert.deepEqual(complaintsAbout(evidence, { uploads: installation.uploads() }), []);
        assert.deepEqual(leftProcesses, []);
      } finally {
        await installation.remove();
        await proxy.close();
        await server.remove();
      }
    });
  }
});
