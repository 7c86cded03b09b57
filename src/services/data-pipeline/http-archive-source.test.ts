/** Downloads are whole and within their bounds, or end with an error that says whether another try can help. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type ArchiveServer, startArchiveServer } from '../../../test/support/archive-server.ts';
import { unusedPort } from '../../../test/support/test-server.ts';
import { CcxError } from '../../encoding/ccx-error.ts';
import { createSystemClock } from '../../platform/clock/clock.ts';
import { type DownloadRequest, download as downloadWithin } from './http-archive-source.ts';

const deadlines = {
  answerMsMax: 10_000,
  stallMsMax: 10_000,
  downloadMsMax: 20_000,
  slowMsMax: 10_000,
  bytesPerSecondMin: 10_000,
};
let server: ArchiveServer;
before(async () => {
  server = await startArchiveServer();
});
after(() => server.close());

function download(url: string, change: Partial<DownloadRequest> = {}, limits: Partial<typeof deadlines> = {}) {
  const request = { url, bytesMax: 1000, reserve: () => true, signal: new AbortController().signal, ...change };
  return downloadWithin(request, { clock: createSystemClock(), ...deadlines, ...limits });
}

function failsWith(code: string, text: string | RegExp, retryable: boolean) {
  return (error: unknown) => {
    assert.ok(error instanceof CcxError, String(error));
    assert.deepEqual([error.code, error.retryable], [code, retryable]);
    if (typeof text === 'string') assert.equal(error.message, text);
    else assert.match(error.message, text);
    return true;
  };
}

test('the bytes arrive as they were sent, also when the server would pack them once more', async () => {
  const bytes = Buffer.from(Array.from({ length: 256 }, (_, index) => index));
  let encodings: string | undefined;
  const url = server.serve('/bytes', (request, response) => {
    encodings = request.headers['accept-encoding'];
    response.end(bytes);
  });
  assert.deepEqual(await download(url), bytes);
  assert.equal(encodings, 'identity');
});

test('exactly the limit is taken, one byte more is too big, whether its length is told or not', async () => {
  assert.equal((await download(server.serve('/limit', Buffer.alloc(1000)))).length, 1000);
  const tooBig = failsWith('ARCHIVE_TOO_BIG', 'The archive is too big. Skipping', false);
  await assert.rejects(download(server.serve('/past', Buffer.alloc(1001))), tooBig);
  const chunked = server.serve('/chunked', (_, response) => {
    response.write(Buffer.alloc(999));
    response.end(Buffer.alloc(2));
  });
  await assert.rejects(download(chunked), tooBig);
});

test('every size is asked for before it is held, and a refusal ends the download', async () => {
  const url = server.serve('/asked', Buffer.alloc(900));
  const asked: number[] = [];
  await download(url, { reserve: (bytes) => asked.push(bytes) > 0 });
  assert.deepEqual([asked[0], asked.at(-1)], [900, 900]);
  await assert.rejects(download(url, { reserve: () => false }), failsWith('DOWNLOAD_NO_ROOM', /no room/, true));
});

test('an empty body is an empty archive', async () => {
  await assert.rejects(
    download(server.serve('/empty', Buffer.alloc(0))),
    failsWith('ARCHIVE_EMPTY', 'Empty input archive', false),
  );
});

for (const [status, retryable] of [
  [204, false],
  [403, false],
  [404, false],
  [429, true],
  [500, true],
  [503, true],
] as const) {
  test(`G19: status ${status} is no archive, and ${retryable ? 'may pass' : 'will not pass'}`, async () => {
    const url = server.serve(`/status-${status}`, (_, response) => {
      response.writeHead(status).end(status === 204 ? undefined : '<Error>not an archive</Error>');
    });
    const text = `Unknown error while downloading the file: the server answered ${status}`;
    const code = status === 403 ? 'DOWNLOAD_FORBIDDEN' : 'DOWNLOAD_STATUS';
    await assert.rejects(download(url), failsWith(code, text, retryable));
  });
}

test('G19: a redirect is not followed', async () => {
  server.serve('/target', Buffer.from('elsewhere'));
  const url = server.serve('/redirect', (_, response) => response.writeHead(302, { location: '/target' }).end());
  await assert.rejects(
    download(url),
    failsWith('DOWNLOAD_REDIRECTED', /302, a redirect, which is not followed/, false),
  );
  assert.equal(server.requests.get('/target'), undefined);
});

test('a server that cannot be reached may come back', async () => {
  const port = await unusedPort();
  const text = 'Connection error while downloading the file';
  await assert.rejects(download(`http://127.0.0.1:${port}/key`), failsWith('DOWNLOAD_UNREACHABLE', text, true));
});

test('G19: a body that breaks off is not taken for the whole', async () => {
  const url = server.serve('/broken', (_, response) => {
    response.writeHead(200, { 'content-length': '900' });
    response.write(Buffer.alloc(100), () => response.destroy());
  });
  const text = 'Connection error while downloading the file';
  await assert.rejects(download(url), failsWith('DOWNLOAD_UNREACHABLE', text, true));
});

test('G19: a server that does not answer, falls silent or drips is given up in time', async () => {
  const mute = server.serve('/mute', () => undefined);
  await assert.rejects(
    download(mute, {}, { answerMsMax: 100 }),
    failsWith('DOWNLOAD_TIMEOUT', /no answer within 100 ms/, true),
  );
  const silent = server.serve('/silent', (_, response) => {
    response.write('first bytes');
  });
  await assert.rejects(
    download(silent, {}, { stallMsMax: 100 }),
    failsWith('DOWNLOAD_TIMEOUT', /silence for 100 ms/, true),
  );
  const dripping = server.serve('/dripping', (_, response) => {
    const drip = setInterval(() => response.write('.'), 20);
    response.on('close', () => clearInterval(drip));
  });
  await assert.rejects(
    download(dripping, {}, { stallMsMax: 5_000, downloadMsMax: 300 }),
    failsWith('DOWNLOAD_TIMEOUT', /not complete within 300 ms/, true),
  );
  await assert.rejects(
    download(dripping, {}, { slowMsMax: 300 }),
    failsWith('DOWNLOAD_TIMEOUT', /less than 10000 bytes a second/, true),
  );
  const slow = server.serve('/slow-enough', (_, response) => {
    let pieces = 0;
    const send = setInterval(() => {
      pieces += 1;
      if (pieces < 10) response.write(Buffer.alloc(100));
      else {
        clearInterval(send);
        response.end();
      }
    }, 60);
  });
  assert.equal((await download(slow, {}, { slowMsMax: 100, bytesPerSecondMin: 100 })).length, 900);
});

test('a download that is given up ends with the reason of its signal', async () => {
  const giveUp = new AbortController();
  const url = server.serve('/given-up', (_, response) => {
    response.write('first bytes', () => giveUp.abort(new Error('the partition is gone')));
  });
  await assert.rejects(download(url, { signal: giveUp.signal }), { message: 'the partition is gone' });
});
