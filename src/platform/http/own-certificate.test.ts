/** Our ports speak TLS where they have a certificate, from TLS 1.2 on, and take a renewed one without a restart. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { connect as connectPlain } from 'node:net';
import { type TestContext, test } from 'node:test';
import { connect, type SecureVersion } from 'node:tls';
import { firstCertificate, secondCertificate, writeCertificate } from '../../../test/support/certificates.ts';
import { temporaryFolder } from '../../../test/support/temporary-folder.ts';
import { until } from '../../../test/support/until.ts';
import { createManualClock } from '../clock/manual-clock.ts';
import { firstByteMsMax } from './connections.ts';
import { callHttp } from './http-client.ts';
import { createHttpServer, type HttpServerOptions } from './http-server.ts';
import { certificateCheckedEveryMs } from './own-certificate.ts';

const authorities = [firstCertificate.cert, secondCertificate.cert];

async function serving(t: TestContext, options: Partial<HttpServerOptions> = {}) {
  const clock = createManualClock();
  const folder = temporaryFolder();
  const server = createHttpServer({
    ...{ host: '127.0.0.1', port: 0, bodyBytesMax: 1000, portSetting: 'test.port', clock },
    tls: writeCertificate(folder, firstCertificate),
    ...options,
  });
  server.app.get('/', async () => 'served');
  const url = await server.listen();
  t.after(() => server.close());
  return { server, clock, folder, url, port: Number(new URL(url).port) };
}

async function get(url: string): Promise<{ readonly body: string; readonly by: string }> {
  const asked = request(url, { ca: authorities, agent: false }).end();
  const [response] = await once(asked, 'response');
  const by = response.socket.getPeerCertificate().subject.CN;
  let body = '';
  for await (const chunk of response) body += chunk;
  return { body, by };
}

test('with a certificate a port speaks TLS 1.2 and newer, and nothing else', async (t) => {
  const { url, port, server } = await serving(t);
  assert.equal(url, `https://127.0.0.1:${port}`);
  assert.deepEqual(await get(url), { body: 'served', by: 'first' });
  const handshake = async (version: SecureVersion) => {
    const socket = connect({
      ...{ port, host: '127.0.0.1', ca: authorities, minVersion: 'TLSv1', maxVersion: version },
      // The client itself would refuse what is so old.
      ciphers: 'DEFAULT@SECLEVEL=0',
    });
    await once(socket, 'secureConnect');
    const protocol = socket.getProtocol();
    socket.destroy();
    return protocol;
  };
  assert.equal(await handshake('TLSv1.2'), 'TLSv1.2');
  await assert.rejects(handshake('TLSv1.1'));
  const plain = connectPlain(port, '127.0.0.1');
  plain.on('error', () => undefined).write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  await once(plain, 'close');
  await until(() => server.connections() === 0);
});

test('files that change are served to the next connection; those that do not fit together change nothing, and are told of once', async (t) => {
  const failures: string[] = [];
  const replaced: Date[] = [];
  const { clock, folder, url } = await serving(t, {
    certificate: { onFailed: (error) => failures.push(error.code), onReplaced: (until) => replaced.push(until) },
  });
  writeFileSync(`${folder}/tls.crt`, secondCertificate.cert);
  await clock.advance(2 * certificateCheckedEveryMs);
  assert.equal((await get(url)).by, 'first');
  assert.deepEqual(failures, ['TLS_FILES_INVALID']);
  writeFileSync(`${folder}/tls.key`, secondCertificate.key);
  await clock.advance(certificateCheckedEveryMs);
  assert.equal((await get(url)).by, 'second');
  assert.equal(replaced.length, 1);
  assert.ok(replaced[0]!.getTime() > Date.UTC(2100));
});

test('a client that says nothing behind its handshake is closed like one without TLS', async (t) => {
  const { clock, port, server } = await serving(t);
  const mute = connect({ port, host: '127.0.0.1', ca: authorities });
  await once(mute, 'secureConnect');
  await until(() => server.connections() === 1);
  const gone = once(mute, 'close');
  await clock.advance(firstByteMsMax + 2_000);
  await gone;
});

test('beside TLS this process may reach the server without it, on this machine only', async (t) => {
  const { server, url } = await serving(t, { hasInside: true });
  const inside = server.insideUrl();
  assert.match(inside, /^http:\/\/127\.0\.0\.1:\d+$/);
  assert.equal((await callHttp(`${inside}/`)).body.toString(), 'served');
  assert.equal((await get(url)).body, 'served');
  const plain = await serving(t, { tls: { certFile: '', keyFile: '' }, hasInside: true });
  assert.equal(plain.server.insideUrl(), plain.url, 'there is no second port without TLS');
});

test('what cannot be used is said at the start, with the setting', () => {
  const create = (tls: HttpServerOptions['tls']) =>
    createHttpServer({ host: '127.0.0.1', port: 0, bodyBytesMax: 1000, portSetting: 'test.port', tls });
  const files = writeCertificate(temporaryFolder(), { ...firstCertificate, key: secondCertificate.key });
  assert.throws(() => create(files), { code: 'TLS_FILES_INVALID' });
  assert.throws(() => create({ ...files, keyFile: '' }), { code: 'CONFIG_INVALID', hint: /--tls-key/ });
  assert.throws(() => create({ ...files, certFile: '/nowhere' }), { code: 'TLS_FILE_UNREADABLE', hint: /--tls-cert/ });
});
