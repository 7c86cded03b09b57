/**
 * `ccx backup` and `ccx restore` as their users run them: beside an installation that works, which is then killed; into another folder, and
 * into a PostgreSQL of another major version; interrupted, cut short, too new. A copy that nobody has confirmed does not start.
 */
import assert from 'node:assert/strict';
import { cp, mkdir, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { BackupContents } from '../../src/all-in-one/backup/backup-folder.ts';
import { createSystemClock } from '../../src/platform/clock/clock.ts';
import { connectDatabase } from '../../src/platform/database/connect-database.ts';
import { EMBEDDED_DATABASE_NAME, findRunningServer } from '../../src/platform/database/database-location.ts';
import { createDatabaseIfMissing } from '../../src/platform/database/embedded/start-embedded-postgres.ts';
import { simulateCluster } from '../../src/tools/cluster-simulator/simulate-cluster.ts';
import { uploadArchive } from '../../src/tools/cluster-simulator/upload-archive.ts';
import { type CcxProcess, runCcx, startCcx } from '../support/ccx-process.ts';
import { createTestFolder, type TestFolder, whyNoInstallation } from '../support/data-folder.ts';
import { OLDER_INGRESS_NAME, unpackOlderDataFolder } from '../support/older-data-folder.ts';
import { startSystemPostgres, whyNoSystemPostgres } from '../support/system-postgres.ts';
import { until } from '../support/until.ts';

const finding = 'CONTROL_PLANE_NODE_REPLICAS';
/** Only a failing test waits so long. */
const waitMsMax = 120_000;

interface Running {
  readonly process: CcxProcess;
  readonly uploadUrl: string;
  readonly token: string;
}

describe('an all-in-one that is backed up', { skip: whyNoInstallation() }, () => {
  let folder: TestFolder;
  const at = (name: string) => join(folder.path, name);
  const running = new Set<CcxProcess>();
  before(async () => {
    folder = await createTestFolder();
  });
  after(async () => {
    for (const process of running) process.kill('SIGKILL');
    for (const name of await readdir(folder.path)) await killServer(at(name));
    await folder.remove();
  });

  async function start(
    data: string,
    env: Readonly<Record<string, string>> = {},
    ...flags: readonly string[]
  ): Promise<Running> {
    const process = startCcx({ args: ['all-in-one', '--data', data, '--port', '0', ...flags], env });
    running.add(process);
    const [, token = '', uploadUrl = ''] = await process.waitForOutput(/Bearer ([\w-]+)' .* (http\S+)\n/, waitMsMax);
    return { process, token, uploadUrl };
  }

  async function stop({ process }: Running): Promise<void> {
    process.kill('SIGTERM');
    await process.exited(waitMsMax);
    running.delete(process);
  }

  /** As a machine that ends: PostgreSQL with it. */
  async function kill({ process }: Running, data: string): Promise<void> {
    process.kill('SIGKILL');
    await killServer(data);
    await process.exited(waitMsMax);
    running.delete(process);
  }

  async function ccx(args: readonly string[], expected: { readonly code: number; readonly says?: RegExp }) {
    const { code, stdout, stderr } = await runCcx(args);
    assert.equal(code, expected.code, `${args.join(' ')}\n${stdout}${stderr}`);
    if (expected.says !== undefined) assert.match(`${stdout}${stderr}`, expected.says);
    return `${stdout}${stderr}`;
  }

  const contentsOf = async (backup: string) =>
    JSON.parse(await readFile(join(at(backup), 'backup.json'), 'utf8')) as BackupContents;

  const isArchive = (name: string) => /^\w+$/.test(name) && name !== 'outbox' && name !== 'ingress';
  const archivesIn = async (backup: string) =>
    (await contentsOf(backup)).files.filter(({ path }) => isArchive(path.replace(/^files\/objects\//, ''))).length;

  test('what was committed by then is in it, and what was told by then is not told again', async (t) => {
    const original = await start(at('original'));
    /** When each cluster's upload was answered with 202. */
    const accepted = new Map<string, number>();
    let uploading = true;
    const load = (async () => {
      for (let count = 0; uploading; count += 1) {
        const cluster = simulateCluster({ seed: `backup-${count}`, now: new Date(), findings: [finding] });
        const { status } = await uploadArchive({ ...cluster, url: original.uploadUrl, token: original.token });
        assert.equal(status, 202);
        accepted.set(cluster.clusterId, Date.now());
      }
    })();
    try {
      await until(async () => (await mailed(at('original'))).length >= 5);
      await ccx(['backup', at('taken'), '--data', at('original')], { code: 0, says: /as of .*, checked\n/ });
    } finally {
      uploading = false;
      await load;
    }
    await kill(original, at('original'));

    const { taken_at, files } = await contentsOf('taken');
    const takenMs = Date.parse(taken_at);
    const before = [...accepted].filter(([, ms]) => ms < takenMs).map(([id]) => id);
    t.diagnostic(`${before.length} of ${accepted.size} uploads were accepted by then, ${files.length} files`);
    assert.ok(before.length >= 5 && before.length < accepted.size, 'it worked all the time');
    assert.equal((await stat(at('taken'))).mode & 0o777, 0o700);
    assert.ok((await archivesIn('taken')) < before.length, 'those of reports are not in it');

    await ccx(['restore', at('taken'), '--check'], { code: 0, says: /can be restored/ });
    await ccx(['restore', at('taken'), '--data', at('copy')], {
      code: 0,
      says: /--original-is-gone \(the flag only once\)/,
    });
    const refused = await runCcx(['all-in-one', '--data', at('copy'), '--port', '0']);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /INSTALLATION_COPY/);
    assert.ok(refused.stderr.includes(at('original')), 'it names the original');

    const copy = await start(at('copy'), {}, '--original-is-gone');
    const told = async () => ({ mails: await mailed(at('copy')), entries: await posted(at('copy')) });
    await until(async () => {
      const { mails, entries } = await told();
      return before.every((id) => countOf(mails, id) > 0 && countOf(entries, id) > 0);
    });
    await stop(copy);
    const { mails, entries } = await told();
    for (const { cluster, atMs } of await mailed(at('original')))
      if (atMs < takenMs) assert.equal(countOf(mails, cluster), 1, `mails to ${cluster}`);
    for (const { cluster, atMs } of await posted(at('original')))
      if (atMs < takenMs) assert.equal(countOf(entries, cluster), 1, `entries of ${cluster}`);
  });

  test('one that is stopped is backed up as well, and then nothing at all is told twice', async () => {
    await ccx(['backup', at('stopped'), '--data', at('copy'), '--all-archives'], { code: 0, says: /does not run/ });
    assert.equal(await archivesIn('stopped'), (await readdir(join(at('copy'), 'objects'))).filter(isArchive).length);
    await ccx(['restore', at('stopped'), '--data', at('moved'), '--original-is-gone'], { code: 0 });
    const before = { mails: await mailed(at('copy')), entries: await posted(at('copy')) };
    // What was on its way at the first moment is tried again when its claim ends: nobody is told twice by that either.
    await ccx(['all-in-one', '--data', at('moved'), '--port', '0', '--once'], { code: 0 });
    assert.deepEqual({ mails: await mailed(at('moved')), entries: await posted(at('moved')) }, before);
    await ccx(['audit', 'list', '--data', at('moved')], { code: 1, says: /DATABASE_LOCATION/ });
  });

  test('files that were copied by other means do not start beside those that they were copied from', async () => {
    await cp(at('moved'), at('by-hand'), { recursive: true, preserveTimestamps: true });
    const { code, stderr } = await runCcx(['all-in-one', '--data', at('by-hand'), '--port', '0', '--once']);
    assert.equal(code, 1);
    assert.match(stderr, /INSTALLATION_COPY/);
    await rm(at('by-hand'), { recursive: true });
  });

  test('the flag does not count while the original can be seen to run', async () => {
    const original = await start(at('moved'));
    await ccx(['backup', at('beside'), '--data', at('moved')], { code: 0 });
    const args = ['restore', at('beside'), '--data', at('twice'), '--original-is-gone'];
    await ccx(args, { code: 2, says: /INSTALLATION_ORIGINAL_RUNS/ });
    assert.equal(await stat(at('twice')).catch(() => undefined), undefined, 'nothing is left');
    await ccx(args.slice(0, -1), { code: 0 });
    const { code, stderr } = await runCcx(['all-in-one', '--data', at('twice'), '--port', '0', '--original-is-gone']);
    assert.equal(code, 1);
    assert.match(stderr, /INSTALLATION_ORIGINAL_RUNS/);
    await stop(original);
  });

  test('where it cannot be taken, nothing is written', async () => {
    const data = ['--data', at('moved')];
    await mkdir(at('used'));
    await writeFile(join(at('used'), 'a file'), '');
    await ccx(['backup', at('used'), ...data], { code: 2, says: /not empty.*BACKUP_TARGET/ });
    await ccx(['backup', join(at('moved'), 'backup'), ...data], {
      code: 2,
      says: /lies in the data folder.*BACKUP_TARGET/,
    });
    await ccx(['backup', at('new'), '--data', at('nowhere')], { code: 2, says: /BACKUP_NO_DATA/ });
    assert.deepEqual(await readdir(at('used')), ['a file']);
    assert.equal(await stat(at('new')).catch(() => undefined), undefined);
  });

  test('one that is interrupted is none, and says so where it is killed', async () => {
    const original = await start(at('moved'));
    const url = await findRunningServer(join(at('moved'), 'postgres'), EMBEDDED_DATABASE_NAME);
    const database = connectDatabase({ url: url!, applicationName: 'test' });
    try {
      await database.transaction(async (tx) => {
        // In its way, so that it is not done before it is killed.
        await tx.query('LOCK TABLE ccx.roles IN ACCESS EXCLUSIVE MODE');
        for (const signal of ['SIGINT', 'SIGKILL'] as const) {
          const backup = startCcx({ args: ['backup', at(signal), '--data', at('moved')] });
          const waiting = `SELECT FROM pg_stat_activity WHERE application_name = 'ccx backup' AND wait_event_type = 'Lock'`;
          await until(async () => (await database.query(waiting)).rowCount > 0);
          backup.kill(signal);
          const { code } = await backup.exited(waitMsMax);
          assert.equal(code, signal === 'SIGINT' ? 130 : null, backup.stderr());
          // Killed, its session goes on waiting for the lock.
          if (signal === 'SIGINT') await until(async () => (await database.query(waiting)).rowCount === 0);
        }
      });
    } finally {
      await database.close();
    }
    await stop(original);
    assert.equal(await stat(at('SIGINT')).catch(() => undefined), undefined);
    await ccx(['restore', at('SIGKILL'), '--data', at('none')], { code: 2, says: /interrupted.*BACKUP_UNFINISHED/ });
    assert.equal(await stat(at('none')).catch(() => undefined), undefined);
  });

  test('a restore that is killed leaves a folder that does not start, and another restore says why', async () => {
    const restore = startCcx({ args: ['restore', at('stopped'), '--data', at('half')] });
    await until(() => restore.stderr().includes('making the tables'));
    restore.kill('SIGKILL');
    await restore.exited(waitMsMax);
    await killServer(at('half'));
    const { code, stderr } = await runCcx(['all-in-one', '--data', at('half'), '--port', '0', '--original-is-gone']);
    assert.equal(code, 1);
    assert.match(stderr, /RESTORE_UNFINISHED/);
    await ccx(['restore', at('stopped'), '--data', at('half')], { code: 2, says: /earlier restore.*RESTORE_TARGET/ });
  });

  test('what is cut short, changed, missing or too new is refused by name', async () => {
    const damaged = async (change: (folder: string) => Promise<void>, says: RegExp) => {
      await cp(at('stopped'), at('damaged'), { recursive: true });
      await change(at('damaged'));
      await ccx(['restore', at('damaged'), '--data', at('none')], { code: 2, says });
      assert.equal(await stat(at('none')).catch(() => undefined), undefined);
      await rm(at('damaged'), { recursive: true });
    };
    const file = 'database/public.new_reports.copy.zst';
    const rewrite = (change: (contents: Record<string, unknown>) => object) => async (backup: string) => {
      const path = join(backup, 'backup.json');
      const contents = JSON.parse(await readFile(path, 'utf8')) as Record<string, unknown>;
      await writeFile(path, JSON.stringify({ ...contents, ...change(contents) }));
    };
    await damaged(
      (backup) => truncate(join(backup, file), 10),
      /new_reports\S* has 10 bytes, \d+ were written.*BACKUP_DAMAGED/,
    );
    await damaged(async (backup) => {
      const bytes = await readFile(join(backup, file));
      bytes[20]! ^= 1;
      await writeFile(join(backup, file), bytes);
    }, /new_reports\S* does not hold what was written.*BACKUP_DAMAGED/);
    await damaged((backup) => rm(join(backup, file)), /new_reports\S* is missing.*BACKUP_DAMAGED/);
    await damaged((backup) => truncate(join(backup, 'backup.json'), 500), /is no JSON.*BACKUP_DAMAGED/);
    await damaged(
      rewrite(() => ({ format: 2, version: '9.9.9' })),
      /format 2.*9\.9\.9.*BACKUP_FORMAT/,
    );
    await damaged(
      rewrite(() => ({ shared_version: 9 })),
      /BACKUP_NEWER/,
    );
    const step = { set: 'records', number: 9_999, sha256: '0'.repeat(64) };
    const beyond = (contents: Record<string, unknown>) => ({
      migrations: [...(contents['migrations'] as object[]), step],
    });
    await damaged(rewrite(beyond), /BACKUP_NEWER/);
    const outside = (contents: Record<string, unknown>) => ({
      files: [...(contents['files'] as object[]), { path: '../outside', bytes: 0, sha256: '0'.repeat(64) }],
    });
    await damaged(rewrite(outside), /must lie in the backup/);
    await damaged((backup) => rm(join(backup, 'backup.json')), /BACKUP_NOT_FOUND/);
  });

  test('what an older release has left is backed up as it is, and goes on where it is restored', async () => {
    await mkdir(at('older'));
    await unpackOlderDataFolder(at('older'), createSystemClock());
    await ccx(['backup', at('of-older'), '--data', at('older')], { code: 0 });
    const { migrations, original } = await contentsOf('of-older');
    assert.ok(!migrations.some(({ set }) => set === 'records'), 'tables of today are not in it');
    assert.equal(original.id, null);
    await ccx(['restore', at('of-older'), '--data', at('of-today'), '--original-is-gone'], { code: 0 });
    const restored = await start(at('of-today'), { INGRESS_HOSTNAME: OLDER_INGRESS_NAME });
    // What waited then and what both programs have told, as of the folder itself: take-over.process.test.ts.
    await until(async () => (await mailed(at('of-today'))).length === 7);
    await ccx(['notifications', 'audit', '--data', at('of-today')], { code: 0 });
    await stop(restored);
  });

  test('its tables go into a PostgreSQL of another major version', {
    skip: whyNoSystemPostgres(),
  }, async () => {
    const server = await startSystemPostgres();
    try {
      const url = await createDatabaseIfMissing(server.url, 'notification');
      const args = ['restore', at('beside'), '--database', url];
      await ccx(args, { code: 2, says: /RESTORE_ORIGINAL/ });
      await ccx([...args, '--original-is-gone'], { code: 0, says: /restored/ });
      await ccx([...args, '--original-is-gone'], { code: 2, says: /RESTORE_DATABASE_USED/ });
      await ccx(['db', 'status', '--database', url], { code: 0 });
      await ccx(['audit', 'list', '--database', url], { code: 0, says: /restore .*moved/ });
      const [{ cluster }] = (await mailed(at('moved'))) as [Told];
      await ccx(['explain', cluster, '--database', url], { code: 0, says: /last sent/ });
      const dry = await runCcx(['notifier', '--dry-run', '--json', '--database', url, '--bus', 'postgres'], {
        CCX_NOTIFICATION_SERVICE__KAFKA_BROKER__TAG_FILTER_ENABLED: 'false',
      });
      assert.equal(dry.code, 0, dry.stderr);
      const [target] = (JSON.parse(dry.stdout.trim().split('\n').at(-1)!) as { targets: DryTarget[] }).targets;
      assert.deepEqual(target?.messages, { new: 0, waiting: 0, again: 0 });
      assert.deepEqual(Object.keys(target.reasons), ['already-notified']);
      const database = connectDatabase({ url, applicationName: 'test' });
      try {
        for (const { schema, name, rows } of (await contentsOf('beside')).tables) {
          if (name === 'audit') continue;
          const { rows: counted } = await database.query<{ count: number }>(
            `SELECT count(*)::int AS count FROM ${schema}.${name}`,
          );
          assert.equal(counted[0]!.count, rows, name);
        }
      } finally {
        await database.close();
      }
    } finally {
      await server.remove();
    }
  });
});

/** Of the summary of a dry run. */
interface DryTarget {
  readonly reasons: Readonly<Record<string, number>>;
  readonly messages: Readonly<Record<string, number>>;
}

interface Told {
  readonly cluster: string;
  readonly atMs: number;
}

function countOf(told: readonly Told[], cluster: string): number {
  return told.filter((one) => one.cluster === cluster).length;
}

async function mailed(data: string): Promise<Told[]> {
  const lines = await linesOf<{ outcome: string; receivedAt: string; mail?: { cluster: string } }>(
    join(data, 'receivers', 'notification-backend.jsonl'),
  );
  return lines
    .filter(({ outcome }) => outcome === 'mailed')
    .map(({ mail, receivedAt }) => ({ cluster: mail!.cluster, atMs: Date.parse(receivedAt) }));
}

async function posted(data: string): Promise<Told[]> {
  const lines = await linesOf<{ cluster_uuid: string; created_at: string }>(
    join(data, 'receivers', 'service-log.jsonl'),
  );
  return lines.map(({ cluster_uuid, created_at }) => ({ cluster: cluster_uuid, atMs: Date.parse(created_at) }));
}

/** Those that are whole. */
async function linesOf<Line>(path: string): Promise<Line[]> {
  const text = await readFile(path, 'utf8').catch(() => '');
  const whole = text.slice(0, text.lastIndexOf('\n') + 1);
  return whole.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as Line]));
}

/** The PostgreSQL of a data folder, which outlives its owner. */
async function killServer(data: string): Promise<void> {
  const file = join(data, 'postgres', 'cluster', 'postmaster.pid');
  const pid = Number((await readFile(file, 'utf8').catch(() => '')).split('\n')[0]);
  if (!Number.isInteger(pid) || pid <= 0) return;
  if ((await findRunningServer(join(data, 'postgres'), EMBEDDED_DATABASE_NAME)) === undefined) return;
  process.kill(pid, 'SIGKILL');
  await until(async () => (await findRunningServer(join(data, 'postgres'), EMBEDDED_DATABASE_NAME)) === undefined);
}
