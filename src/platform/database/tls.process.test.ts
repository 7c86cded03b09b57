/** Each `sslmode` against a server with a certificate for `localhost` from an authority of its own. Needs the `openssl` program. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmod, chown, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
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
});
