/** Each `sslmode` against a server with a certificate for `localhost` from an authority of its own. Needs the `openssl` program. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { chmod, chown, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { launcherOf, runProgram, settingsOf } from '../../../test/support/drop-in-program.ts';
import { CcxError } from '../../encoding/ccx-error.ts';
import { createSystemClock } from '../clock/clock.ts';
import { connectDatabase } from './connect-database.ts';
import { isEmbeddedPostgresSupported } from './embedded/binaries.ts';
import { chooseServerUser } from './embedded/server-user.ts';
import { type EmbeddedPostgres, startEmbeddedPostgres } from './embedded/start-embedded-postgres.ts';

function missing(): string | false {
  if (!isEmbeddedPostgresSupported()) return 'no embedded PostgreSQL for this platform';
  try {
    execFileSync('openssl', ['version'], { stdio: 'ignore' });
    return false;
  } catch {
    return 'the openssl program is not installed';
  }
}

describe('TLS to the database', { skip: missing() }, () => {
  let folder: string;
  let server: EmbeddedPostgres;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'ccx-tls-'));
    await chmod(folder, 0o711);
    for (const name of ['server', 'stranger']) {
      const files = ['-keyout', join(folder, `${name}.key`), '-out', join(folder, `${name}.crt`)];
      const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'];
      execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', ...files, ...subject], {
        stdio: 'ignore',
      });
    }
    const user = chooseServerUser(process.getuid?.());
    for (const name of ['server.key', 'server.crt']) {
      await chmod(join(folder, name), 0o600);
      if (user !== undefined) await chown(join(folder, name), user.uid, user.gid);
    }
    server = await startEmbeddedPostgres({
      dataDir: join(folder, 'postgres'),
      clock: createSystemClock(),
      settings: {
        fsync: 'off',
        ssl: 'on',
        ssl_cert_file: join(folder, 'server.crt'),
        ssl_key_file: join(folder, 'server.key'),
      },
    });
  });
  after(async () => {
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  });

  /** Whether the connection is encrypted, or the code of the error. */
  const outcome = async (host: string, mode: string, authority?: string): Promise<string> => {
    const url = new URL(server.url);
    url.hostname = host;
    url.search = '';
    if (mode !== '') url.searchParams.set('sslmode', mode);
    if (authority !== undefined) url.searchParams.set('sslrootcert', join(folder, `${authority}.crt`));
    const database = connectDatabase({ url: url.href, applicationName: 'test' });
    try {
      const { rows } = await database.query<{ ssl: boolean }>(
        'SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()',
      );
      return rows[0]!.ssl ? 'encrypted' : 'plain';
    } catch (error) {
      return error instanceof CcxError ? error.code : String(error);
    } finally {
      await database.close();
    }
  };

  test('disable, or nothing on this machine, is plain; require is encrypted without looking at the certificate', async () => {
    assert.equal(await outcome('127.0.0.1', 'disable'), 'plain');
    assert.equal(await outcome('127.0.0.1', ''), 'plain');
    assert.equal(await outcome('127.0.0.1', 'require'), 'encrypted');
  });

  test('with an authority named, require looks at the chain as libpq does', async () => {
    assert.equal(await outcome('127.0.0.1', 'require', 'server'), 'encrypted');
    assert.equal(await outcome('127.0.0.1', 'require', 'stranger'), 'DATABASE_TLS');
  });

  test('verify-ca wants the chain and not the name', async () => {
    assert.equal(await outcome('127.0.0.1', 'verify-ca', 'server'), 'encrypted');
    assert.equal(await outcome('127.0.0.1', 'verify-ca', 'stranger'), 'DATABASE_TLS');
    assert.equal(await outcome('127.0.0.1', 'verify-ca'), 'DATABASE_TLS');
  });

  test('verify-full wants chain and name', async () => {
    assert.equal(await outcome('localhost', 'verify-full', 'server'), 'encrypted');
    assert.equal(await outcome('127.0.0.1', 'verify-full', 'server'), 'DATABASE_TLS');
    assert.equal(await outcome('localhost', 'verify-full', 'stranger'), 'DATABASE_TLS');
    assert.equal(await outcome('localhost', 'verify-full'), 'DATABASE_TLS');
  });

  test('a file with many authorities, as RDS hands one out, serves when one of them is the right one', async () => {
    const bundle = ['stranger', 'server'].map((name) => readFileSync(join(folder, `${name}.crt`), 'utf8'));
    writeFileSync(join(folder, 'bundle.crt'), `# global bundle\n${bundle.join('\n')}`);
    assert.equal(await outcome('localhost', 'verify-full', 'bundle'), 'encrypted');
    writeFileSync(join(folder, 'strangers.crt'), `${bundle[0]}\n${bundle[0]}`);
    assert.equal(await outcome('localhost', 'verify-full', 'strangers'), 'DATABASE_TLS');
  });

  describe('by the parts of the reference', () => {
    const drop = (params: string) => {
      const { username, password, port } = new URL(server.url);
      return runProgram(launcherOf('ccx-notification-writer'), ['--db-init-migration'], {
        cwd: folder,
        env: settingsOf('ccx-notification-writer', {
          STORAGE__DB_DRIVER: 'postgres',
          STORAGE__PG_USERNAME: decodeURIComponent(username),
          STORAGE__PG_PASSWORD: decodeURIComponent(password),
          STORAGE__PG_HOST: 'localhost',
          STORAGE__PG_PORT: port,
          STORAGE__PG_DB_NAME: 'postgres',
          STORAGE__PG_PARAMS: params,
        }),
      });
    };
    const authority = (name: string) => `sslrootcert=${join(folder, name)}`;
    /** The program ends with the code for storage, and says this of the setting. */
    const isRefused = async (params: string, ...said: readonly RegExp[]) => {
      const { code, stdout, stderr } = await drop(params);
      assert.equal(code, 5, stdout + stderr);
      for (const pattern of said) assert.match(stdout + stderr, pattern);
      assert.doesNotMatch(stdout + stderr, new RegExp(new URL(server.url).password));
    };

    test('verify-full with the right authority lets the drop-in program in', async () => {
      const { code, stdout, stderr } = await drop(`sslmode=verify-full&${authority('server.crt')}`);
      assert.equal(code, 0, stdout + stderr);
    });

    test('a wrong authority, a file that is none or is not there, and a mode that there is not are said of pg_params', async () => {
      await isRefused(
        `sslmode=verify-full&${authority('stranger.crt')}`,
        ...[/DATABASE_TLS/, /not trusted/, /sslrootcert=<file> in storage\.pg_params/],
      );
      writeFileSync(join(folder, 'no.crt'), 'no certificate\n');
      await isRefused(`sslmode=verify-full&${authority('no.crt')}`, /DATABASE_URL/, /storage\.pg_params/);
      await isRefused(`sslmode=verify-full&${authority('missing.crt')}`, /DATABASE_URL/, /storage\.pg_params/);
      await isRefused('sslmode=prefer', /DATABASE_URL/, /sslmode \\*"prefer\\*" is not one of/, /storage\.pg_params/);
    });

    test('a server that lets nobody in without TLS, as RDS with rds.force_ssl, is told apart from a wrong password', async () => {
      const admin = connectDatabase({ url: server.url, applicationName: 'test' });
      const { rows } = await admin.query<{ path: string }>(`SELECT current_setting('hba_file') AS path`);
      const before = readFileSync(rows[0]!.path, 'utf8');
      try {
        writeFileSync(rows[0]!.path, before.replaceAll(/^host(?=\s)/gm, 'hostssl'));
        await admin.query('SELECT pg_reload_conf()');
        await isRefused('sslmode=disable', /DATABASE_AUTH/, /sslmode=require to storage\.pg_params/);
        const { code, stdout, stderr } = await drop('sslmode=require');
        assert.equal(code, 0, stdout + stderr);
      } finally {
        writeFileSync(rows[0]!.path, before);
        await admin.query('SELECT pg_reload_conf()');
        await admin.close();
      }
    });
  });
});
