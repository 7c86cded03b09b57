/**
 * PostgreSQL fails over to a streaming standby under load: the primary is killed, everybody meets the standby while it is still read-only,
 * then it is promoted. Nothing is lost, nothing is told under a second id, nobody is started again. On the PostgreSQL of the system, whose
 * programs make a standby; the primary waits for it, as whoever wants to lose nothing has it.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSystemClock } from '../../src/platform/clock/clock.ts';
import { withDatabaseName } from '../../src/platform/database/connection-url.ts';
import { createDatabaseIfMissing } from '../../src/platform/database/embedded/start-embedded-postgres.ts';
import { startSystemPostgres, whyNoSystemPostgres } from '../support/system-postgres.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { until } from '../support/until.ts';
import { complaintsAbout } from './check-promises.ts';
import { createFaultyInstallation } from './faulty-installation.ts';
import { onDatabase } from './installation-database.ts';
import { assertSettles, uploadAll } from './uploads-that-settle.ts';

const clock = createSystemClock();
const endMsMax = 30_000;
/** How long everybody has only a standby to look at. */
const standbyMs = 3_000;

test('F8, F10: a failover costs nothing but time', { skip: whyNoSystemPostgres() }, async (t) => {
  const primary = await startSystemPostgres();
  t.after(() => primary.remove());
  const name = 'notification';
  let directUrl = await createDatabaseIfMissing(primary.url, name);
  const standby = await startSystemPostgres({ standbyOf: primary });
  t.after(() => standby.remove());
  await primary.configure({ synchronous_standby_names: '*' });
  primary.reload();
  await until(async () => {
    const { rowCount } = await onDatabase(primary.url, (database) =>
      database.query(`SELECT FROM pg_stat_replication WHERE sync_state = 'sync'`),
    );
    return rowCount === 1;
  });

  let proxy = await startTcpProxy({ host: '127.0.0.1', port: primary.port });
  t.after(() => proxy.close());
  const url = new URL(directUrl);
  url.port = String(proxy.port);
  const database = { url: url.href, directUrl };
  const installation = await createFaultyInstallation({
    seed: 'failover',
    database: {
      ...database,
      get directUrl() {
        return directUrl;
      },
    },
  });
  t.after(() => installation.remove());
  const { process, uploadUrl } = installation.run();
  const address = (await uploadUrl)!;
  const [, readyUrl = ''] = await process.waitForOutput(/readiness +(http\S+)/, endMsMax);
  const readiness = async () => (await (await fetch(readyUrl)).json()) as { ready: boolean; reasons: string[] };
  const ended = new AbortController();
  process.child.once('exit', () => ended.abort(new Error(`it ended:\n${process.stdout()}\n${process.stderr()}`)));

  const failOver = async () => {
    await until(() => installation.uploads().length - installation.waiting().length >= 3);
    await primary.end('killed');
    directUrl = withDatabaseName(standby.url, name);
    // The name of the database leads to the standby from now on.
    await proxy.close();
    proxy = await startTcpProxy({ host: '127.0.0.1', port: standby.port, listenPort: proxy.port });
    await until(async () => /read-only/.test((await readiness()).reasons.join(' ')));
    await clock.sleep(standbyMs);
    await onDatabase(standby.url, (admin) => admin.query('SELECT pg_promote()'));
  };
  await Promise.all([uploadAll(installation, { url: address, ended: ended.signal }), failOver()]);
  await assertSettles(installation);
  assert.deepEqual(await readiness(), { ready: true, reasons: [] });
  process.kill('SIGTERM');
  assert.equal((await process.exited(endMsMax)).code, 0, process.stderr());
  const { evidence, leftProcesses } = await installation.collect();
  assert.deepEqual(complaintsAbout(evidence, { uploads: installation.uploads() }), []);
  assert.deepEqual(leftProcesses, []);
});
