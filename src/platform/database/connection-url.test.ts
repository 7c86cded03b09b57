/** What a database URL means, above all for TLS, where a wrong reading is either an outage or plain text on a network. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { CcxError } from '../../encoding/ccx-error.ts';
import { composeDatabaseUrl, connectMsMax, parseDatabaseUrl, withDatabaseName } from './connection-url.ts';

const parse = (url: string) => parseDatabaseUrl({ url, applicationName: 'test', setting: '--database' });

test('host, port, user, password and name are read and percent-decoded', () => {
  const { client, address } = parse('postgresql://us%40er:p%2Fw%25@db.example:6543/na%20me?sslmode=disable');
  assert.equal(client.host, 'db.example');
  assert.equal(client.port, 6543);
  assert.equal(client.user, 'us@er');
  assert.equal(client.password, 'p/w%');
  assert.equal(client.database, 'na me');
  assert.deepEqual(address, {
    host: 'db.example',
    port: 6543,
    database: 'na me',
    user: 'us@er',
    setting: '--database',
    loginSetting: '--database',
    parametersSetting: '--database',
  });
});

test('what was composed from parts is parsed back to the same parts', () => {
  const text = fc.string({ unit: 'binary', minLength: 1 }).filter((value) => value.isWellFormed());
  fc.assert(
    fc.property(text, text, text, (user, password, database) => {
      const url = composeDatabaseUrl({ user, password, host: 'localhost', port: 5432, database });
      const { client } = parse(url);
      assert.deepEqual([client.user, client.password, client.database], [user, password, database]);
    }),
  );
});

test('what is missing or wrong in the parts is said of the part, not of a URL that nobody wrote', () => {
  const parts = { user: 'u', password: 'p@ss', port: 5432, database: 'd', setting: 'storage.pg_host' };
  const wrong: readonly [{ host: string; port?: number }, RegExp][] = [
    [{ host: '' }, /^no database is configured: storage\.pg_host is not set$/],
    [{ host: 'db', port: 0 }, /^no port of the database is configured beside storage\.pg_host$/],
    [{ host: 'data base' }, /^"data base" in storage\.pg_host is no host$/],
    [{ host: 'a/b' }, /^"a\/b" in storage\.pg_host is no host$/],
  ];
  for (const [part, message] of wrong) {
    assert.throws(
      () => composeDatabaseUrl({ ...parts, ...part }),
      (error: { message: string; hint?: string }) => {
        assert.match(error.message, message);
        assert.doesNotMatch(`${error.message}${error.hint}`, /percent|postgres:\/\//);
        return true;
      },
    );
  }
});

test('an IPv6 host and a socket folder survive composing and parsing', () => {
  const parts = { user: 'u', password: '', port: 5433, database: 'd', parameters: 'sslmode=require' };
  assert.equal(parse(composeDatabaseUrl({ ...parts, host: '::1' })).client.host, '::1');
  const socket = parse(composeDatabaseUrl({ ...parts, host: '/run/postgresql' })).client;
  assert.equal(socket.host, '/run/postgresql');
  assert.equal(socket.port, 5433);
  assert.equal(socket.ssl, false);
});

test('without sslmode a server on this machine is met in plain text and any other encrypted without verification', () => {
  for (const host of ['localhost', '127.0.0.1', '127.1.2.3', '[::1]'])
    assert.equal(parse(`postgres://${host}/d`).client.ssl, false);
  for (const host of ['db.example', '10.0.0.1', '[2001:db8::1]', 'localhost.example', '128.0.0.1']) {
    const { ssl } = parse(`postgres://${host}/d`).client;
    assert.ok(typeof ssl === 'object' && ssl.rejectUnauthorized === false && ssl.ca === undefined, host);
  }
});

test('verify-full checks chain and name, verify-ca only the chain, require neither', () => {
  const tls = (mode: string) => {
    const { ssl } = parse(`postgres://db.example/d?sslmode=${mode}`).client;
    assert.ok(typeof ssl === 'object');
    return { chain: ssl.rejectUnauthorized, name: ssl.checkServerIdentity === undefined };
  };
  assert.deepEqual(tls('require'), { chain: false, name: true });
  assert.deepEqual(tls('verify-ca'), { chain: true, name: false });
  assert.deepEqual(tls('verify-full'), { chain: true, name: true });
  assert.equal(parse('postgres://db.example/d?sslmode=disable').client.ssl, false);
});

test('settings of the server that the URL asks for go as options, and without any there are none, which poolers refuse', () => {
  assert.equal('options' in parse('postgres://localhost/d').client, false);
  assert.equal(
    parse('postgres://localhost/d?options=-c%20geqo%3Doff&search_path=a%20b&TimeZone=Asia/Tokyo').client.options,
    '-c geqo=off -c search_path=a\\ b',
  );
});

test('connect_timeout is in seconds, and absent or 0 it is our own limit', () => {
  assert.equal(parse('postgres://localhost/d?connect_timeout=3').client.connectionTimeoutMillis, 3000);
  assert.equal(parse('postgres://localhost/d?connect_timeout=0').client.connectionTimeoutMillis, connectMsMax);
  assert.equal(parse('postgres://localhost/d').client.connectionTimeoutMillis, connectMsMax);
});

test('a URL that cannot be used is refused with the setting in the hint and without the password', () => {
  const urls = [
    'mysql://u:secret@h/d',
    'u:secret@h/d',
    'postgres://u:sec ret/x@h:port/d',
    'postgres://u:secret%zz@h/d',
    'postgres://u:secret@h/d?sslmode=prefer',
    'postgres://u:secret@h/d?port=70000',
    'postgres://u:secret@h/d?port=0',
    'postgres://u:secret@h/d?connect_timeout=soon',
    'postgres://u:secret@h/d?sslmode=verify-full&sslrootcert=/does/not/exist',
    '',
  ];
  for (const url of urls) {
    assert.throws(
      () => parse(url),
      (error) => {
        assert.ok(error instanceof CcxError);
        assert.equal(error.code, 'DATABASE_URL');
        assert.match(error.hint ?? '', /--database/);
        assert.doesNotMatch(error.message, /sec ?ret/);
        assert.doesNotMatch(String(error.cause ?? ''), /secret/);
        return true;
      },
      url,
    );
  }
});

test('the port at the limit is taken and one past it is refused', () => {
  assert.equal(parse('postgres://h/d?sslmode=disable&port=65535').client.port, 65_535);
  assert.throws(() => parse('postgres://h/d?sslmode=disable&port=65536'));
});

test('the name of the database can be exchanged without touching the rest', () => {
  assert.equal(
    withDatabaseName('postgres://u:p%40@h:1/old?sslmode=require', 'new name'),
    'postgres://u:p%40@h:1/new%20name?sslmode=require',
  );
});
