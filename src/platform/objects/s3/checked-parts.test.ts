/** Of an upload in parts the beginning, each part and the end say the same about checksums: Amazon refuses it otherwise, other servers do not. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { test } from 'node:test';
import { listening } from '../../../../test/support/test-server.ts';
import { createSystemClock } from '../../clock/clock.ts';
import { parseS3Url } from './s3-settings.ts';
import { createClient, S3ObjectStore } from './s3-store.ts';

const names = {
  ...{ bucket: 'storage.bucket', endpoint: 'storage.endpoint', region: 'storage.region' },
  ...{ accessKey: 'storage.access_key', secretKey: 'storage.secret_key', caFile: 'storage.s3_ca_file' },
};
/** A part and a bit. */
const bytes = 5 * 1024 * 1024 + 1;

/** What the store is told on the way: of the beginning its algorithm, of each part its checksum, of the end the checksums that it names. */
async function upload(checksums: 'always' | 'required') {
  const told = { algorithm: undefined as unknown, parts: [] as unknown[], end: [] as string[] };
  const server = createServer(async (request, response) => {
    const body = await buffer(request);
    const checksum = request.headers['x-amz-checksum-crc32'];
    if (request.method === 'PUT') {
      told.parts.push(checksum);
      response.setHeader('etag', '"part"');
      if (checksum !== undefined) response.setHeader('x-amz-checksum-crc32', checksum);
      response.end();
      return;
    }
    response.setHeader('content-type', 'application/xml');
    if (request.url?.includes('uploads') === true) {
      told.algorithm = request.headers['x-amz-checksum-algorithm'];
      response.end('<InitiateMultipartUploadResult><UploadId>1</UploadId></InitiateMultipartUploadResult>');
      return;
    }
    told.end.push(...[...String(body).matchAll(/<ChecksumCRC32>([^<]+)</g)].map(([, value = '']) => value));
    response.end('<CompleteMultipartUploadResult><ETag>"whole"</ETag></CompleteMultipartUploadResult>');
  });
  const { port, close } = await listening(server);
  const settings = { ...parseS3Url(`http://key:secret@127.0.0.1:${port}/archives`, 'test'), checksums };
  const store = new S3ObjectStore(
    { settings, names, clock: createSystemClock(), writes: true },
    await createClient(settings, names),
  );
  try {
    await store.put('large', Readable.from([Buffer.alloc(bytes)]));
  } finally {
    await store.close();
    close();
  }
  return told;
}

test('where parts have checksums the upload begins with their algorithm and ends with each of them', async () => {
  const { algorithm, parts, end } = await upload('always');
  assert.equal(algorithm, 'CRC32');
  assert.equal(parts.length, 2);
  assert.ok(parts.every((checksum) => typeof checksum === 'string'));
  assert.deepEqual(end, parts);
});

test('where they have none nothing is said of them', async () => {
  assert.deepEqual(await upload('required'), { algorithm: undefined, parts: [undefined, undefined], end: [] });
});
