/** A bucket against the object store contract, and what only a bucket has: parts, links, logins, lifecycle. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { Readable } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import { describe, type TestContext, test } from 'node:test';
import { ListMultipartUploadsCommand, PutBucketLifecycleConfigurationCommand, S3Client } from '@aws-sdk/client-s3';
import { s3Settings, testBucket, testS3, testSettingNames } from '../../../../test/support/s3.ts';
import { temporaryFile } from '../../../../test/support/temporary-folder.ts';
import { listening } from '../../../../test/support/test-server.ts';
import { until } from '../../../../test/support/until.ts';
import type { CcxError } from '../../../encoding/ccx-error.ts';
import { createSystemClock } from '../../clock/clock.ts';
import { createManualClock } from '../../clock/manual-clock.ts';
import { objectStoreContract } from '../object-store.contract.ts';
import { checkLifecycle } from './lifecycle.ts';
import { parseS3Url, type S3Settings } from './s3-settings.ts';
import { createClient, openS3Store, partBytes, S3ObjectStore, streamsMax } from './s3-store.ts';

const open = testBucket;

for (const checksums of ['required', 'always'] as const) {
  objectStoreContract(`S3, checksums ${checksums},`, async () => {
    const stores: S3ObjectStore[] = [];
    const reopen = async () => {
      const store = await open({ checksums });
      stores.push(store);
      return store;
    };
    const store = await reopen();
    return {
      store,
      reopen,
      // It keeps keys as paths of files.
      keyBytesMax: 255,
      async close() {
        for await (const { key } of store.list('')) await store.delete(key);
        for (const opened of stores) await opened.close();
      },
    };
  });
}

describe('a stream', () => {
  for (const bytes of [0, 1, partBytes - 1, partBytes, partBytes + 1, 2 * partBytes, 2 * partBytes + 12_345]) {
    test(`of ${bytes} bytes arrives as it was, and leaves no parts`, async () => {
      const store = await open({ checksums: bytes % 2 === 0 ? 'always' : 'required' });
      const body = randomBytes(bytes);
      await store.put('large', Readable.from(pieces(body, 77_777)), { metadata: { org: '1' } });
      const got = await store.get('large');
      assert.equal(got?.object.sizeBytes, bytes);
      assert.ok((await buffer(got!.body)).equals(body));
      assert.deepEqual(await unfinishedUploads(), []);
      await store.delete('large');
      await store.close();
    });
  }

  test('that fails behind its first part stores nothing, leaves no parts and what was there', async () => {
    const store = await open();
    await store.put('large', Buffer.from('old'));
    const failing = Readable.from(
      (async function* () {
        yield* pieces(randomBytes(partBytes + 1), 100_000);
        // A stream reads ahead of whoever takes its pieces.
        await until(async () => (await unfinishedUploads()).length === 1);
        throw new Error('the client went away');
      })(),
    );
    await assert.rejects(store.put('large', failing), /the client went away/);
    assert.deepEqual(await unfinishedUploads(), []);
    assert.equal((await buffer((await store.get('large'))!.body)).toString(), 'old');
    await store.delete('large');
    await store.close();
  });

  test('of more than are taken at once is refused, and taken later', async () => {
    const store = await open();
    const waiting = Array.from({ length: streamsMax }, () => new Readable({ read() {} }));
    const puts = waiting.map((body, n) => store.put(`stream${n}`, body));
    const refused = Readable.from([Buffer.from('x')]);
    await assert.rejects(store.put('one-more', refused), { code: 'OBJECTS_BUSY', retryable: true });
    assert.ok(refused.destroyed);
    for (const body of waiting) body.push(null);
    await Promise.all(puts);
    await store.put('one-more', Readable.from([Buffer.from('x')]));
    for await (const { key } of store.list('')) await store.delete(key);
    await store.close();
  });
});

describe('a link', () => {
  test('leads to the object, and to nothing once it is tampered with or has ended', async () => {
    const store = await open();
    const key = 'a b/ü+%2F';
    await store.put(key, Buffer.from('archive'), { contentType: 'application/gzip', metadata: { org: '1' } });
    const { url, lifeMs } = await store.signLink(key, 3_600_000);
    assert.equal(lifeMs, 3_600_000);
    assert.match(url, /\?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=[^/]+$/, 'as the reference wants it');
    const answer = await fetch(url);
    assert.equal(await answer.text(), 'archive');
    assert.equal(answer.headers.get('content-type'), 'application/gzip');
    assert.equal(answer.headers.get('x-amz-meta-org'), '1');

    await store.put('another', Buffer.from('secret'));
    const ofAnother = url.replace(new URL(url).pathname, `/${store.bucket}/another`);
    assert.equal((await fetch(ofAnother)).status, 403);
    assert.equal((await fetch(url.replace('X-Amz-Expires=3600', 'X-Amz-Expires=36000'))).status, 403);
    assert.equal((await fetch(url.split('?')[0]!)).status, 403);

    const short = await store.signLink(key, 1_000);
    await until(async () => (await fetch(short.url)).status === 403);
    for (const stored of [key, 'another']) await store.delete(stored);
    await store.close();
  });
});

describe('a store that cannot be used', () => {
  const refused: readonly [string, () => Promise<Partial<S3Settings>>, string, RegExp][] = [
    ['wrong secret', async () => ({ secretKey: 'wrong' }), 'OBJECTS_LOGIN', /storage\.secret_key/],
    ['unknown key', async () => ({ accessKey: 'nobody' }), 'OBJECTS_LOGIN', /storage\.access_key/],
    ['no bucket', async () => ({ bucket: 'nowhere' }), 'OBJECTS_BUCKET_MISSING', /storage\.bucket/],
    ['no right to write', async () => (await testS3()).reader, 'OBJECTS_DENIED', /s3:PutObject/],
    [
      'TLS where there is none',
      async () => ({ endpoint: (await testS3()).endpoint.replace('http:', 'https:') }),
      'OBJECTS_TLS',
      /storage\.endpoint/,
    ],
  ];
  for (const [name, change, code, hint] of refused) {
    test(`${name}: ${code}, at once`, async () => {
      await assert.rejects(open(await change()), (error: CcxError) => {
        assert.equal(error.code, code);
        assert.match(error.hint ?? '', hint);
        return true;
      });
    });
  }

  test('who only reads needs no right to write', async () => {
    const store = await open((await testS3()).reader, false);
    assert.equal(await store.get('nothing'), undefined);
    await store.close();
  });

  test('of key and secret one is not enough', async () => {
    await assert.rejects(open({ secretKey: '' }), { code: 'CONFIG_INVALID' });
  });

  test('one that is away is waited for at the start, for half a minute', async () => {
    const manual = createManualClock();
    const told: string[] = [];
    const opening = openS3Store({
      ...{ settings: parseS3Url('http://key:secret@127.0.0.1:1/archives', '--s3'), names: testSettingNames },
      ...{ clock: manual, writes: true },
      onAway({ code }) {
        told.push(code);
        setImmediate(() => manual.advance(10_000));
      },
    });
    await assert.rejects(opening, { code: 'OBJECTS_AWAY', retryable: true });
    assert.deepEqual(told, Array(4).fill('OBJECTS_AWAY'));
  });

  test('one that is killed fails what is asked of it soon, and everything goes on when it is back', async () => {
    const server = await testS3();
    const store = await open();
    await store.put('before', Buffer.from('x'));
    await server.kill('SIGKILL');
    const startedMs = Date.now();
    for (const attempt of [
      () => store.put('meanwhile', Buffer.from('x')),
      () => store.put('meanwhile', Readable.from(pieces(randomBytes(partBytes * 2), 100_000))),
      () => store.get('before'),
      () => store.check(),
      () => store.delete('before'),
    ]) {
      await assert.rejects(attempt, { code: 'OBJECTS_AWAY', retryable: true });
    }
    assert.ok(Date.now() - startedMs < 20_000);
    await server.start();
    assert.equal((await buffer((await store.get('before'))!.body)).toString(), 'x');
    assert.equal(await store.get('meanwhile'), undefined);
    await store.put('meanwhile', Buffer.from('x'));
    for (const key of ['before', 'meanwhile']) await store.delete(key);
    await store.close();
  });
});

test('what the bucket drops by itself is read from it', async () => {
  const store = await open();
  assert.deepEqual(await store.lifecycleRules(), []);
  const { Rules } = lifecycle;
  await (await adminClient()).send(
    new PutBucketLifecycleConfigurationCommand({ Bucket: store.bucket, LifecycleConfiguration: { Rules: [...Rules] } }),
  );
  const told: unknown[] = [];
  const tell = (facts: object, text: string) => told.push({ ...facts, text });
  const log = { info: tell, warn: tell } as unknown as Parameters<typeof checkLifecycle>[1];
  const rules = () => store.lifecycleRules();
  await checkLifecycle({ rules, announcementsMs: async () => 4 * 24 * 3_600_000 }, log);
  assert.partialDeepStrictEqual(told, [{ announcements_kept_hours: 96, archives_kept_hours: 72, rule: 'archives' }]);
  await store.close();
});

const lifecycle = {
  Rules: [{ ID: 'archives', Status: 'Enabled', Filter: { Prefix: '' }, Expiration: { Days: 3 } }],
} as const;

async function adminClient(): Promise<S3Client> {
  const { endpoint, region, admin } = await testS3();
  const credentials = { accessKeyId: admin.accessKey, secretAccessKey: admin.secretKey };
  return new S3Client({ endpoint, region, credentials, forcePathStyle: true });
}

async function unfinishedUploads(): Promise<readonly string[]> {
  const client = await adminClient();
  const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket: (await testS3()).bucket }));
  client.destroy();
  return Uploads.map(({ Key = '' }) => Key);
}

function* pieces(bytes: Buffer, size: number): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

describe('the credential chain of AWS', () => {
  /** The SDK reads it; what a test sets is taken back. */
  function environment(t: TestContext, values: Readonly<Record<string, string>>): void {
    const before = Object.fromEntries(Object.keys(values).map((name) => [name, process.env[name]]));
    Object.assign(process.env, values);
    t.after(() => {
      for (const [name, value] of Object.entries(before)) {
        if (value === undefined) delete process.env[name];
        else process.env[name] = value;
      }
    });
  }
  const chain = { accessKey: '', secretKey: '' };
  const aDayMs = 24 * 3_600_000;

  test('reads the environment, and a link lives no longer than the credentials', async (t) => {
    const { admin } = await testS3();
    environment(t, {
      AWS_ACCESS_KEY_ID: admin.accessKey,
      AWS_SECRET_ACCESS_KEY: admin.secretKey,
      AWS_CREDENTIAL_EXPIRATION: new Date(Date.now() + 2 * 3_600_000).toISOString(),
    });
    const store = await open(chain);
    await store.put('chained', Buffer.from('x'));
    const { url, lifeMs } = await store.signLink('chained', aDayMs);
    assert.ok(lifeMs > 1.9 * 3_600_000 && lifeMs <= 2 * 3_600_000, `${lifeMs} ms`);
    assert.equal(await (await fetch(url)).text(), 'x');
    assert.ok((await store.signLink('chained', 60_000)).lifeMs === 60_000, 'a shorter one keeps its own time');
    await store.delete('chained');
    await store.close();
  });

  test('reads a profile of the files', async (t) => {
    const { admin } = await testS3();
    const file = `[archives]\naws_access_key_id = ${admin.accessKey}\naws_secret_access_key = ${admin.secretKey}\n`;
    const path = temporaryFile('credentials', file);
    environment(t, { AWS_SHARED_CREDENTIALS_FILE: path, AWS_CONFIG_FILE: path, AWS_PROFILE: 'archives' });
    const store = await open(chain);
    assert.equal((await store.signLink('x', aDayMs)).lifeMs, aDayMs);
    await store.close();
  });

  test('asks for a role by the token of a service account, and for another one before a link would be short', async (t) => {
    const { admin } = await testS3();
    const asked: string[] = [];
    const livesMs = [10 * 60_000, 3_600_000];
    const server = createServer((request, response) => {
      void text(request).then((body) => {
        asked.push(`${new URLSearchParams(body).get('RoleArn')} ${new URLSearchParams(body).get('WebIdentityToken')}`);
        const expiration = new Date(Date.now() + livesMs[Math.min(asked.length, livesMs.length) - 1]!).toISOString();
        response
          .setHeader('content-type', 'text/xml')
          .end(
            `<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleWithWebIdentityResult>` +
              `<Credentials><AccessKeyId>${admin.accessKey}</AccessKeyId><SecretAccessKey>${admin.secretKey}</SecretAccessKey>` +
              `<SessionToken>session</SessionToken><Expiration>${expiration}</Expiration></Credentials>` +
              `</AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`,
          );
      });
    });
    const { port, close } = await listening(server);
    t.after(close);
    environment(t, {
      AWS_ROLE_ARN: 'arn:aws:iam::1:role/ccx-archives',
      AWS_WEB_IDENTITY_TOKEN_FILE: temporaryFile('token', 'token-of-the-pod'),
      AWS_ENDPOINT_URL_STS: `http://127.0.0.1:${port}`,
      AWS_REGION: 'us-east-1',
    });
    // Nothing is asked of the store itself, which knows no session.
    const store = new S3ObjectStore(
      { settings: await s3Settings(chain), names: testSettingNames, clock: createSystemClock(), writes: false },
      await createClient(await s3Settings(chain), testSettingNames),
    );
    const first = await store.signLink('x', aDayMs);
    assert.ok(first.lifeMs > 50 * 60_000 && first.lifeMs <= 3_600_000, `${first.lifeMs} ms`);
    await store.signLink('x', aDayMs);
    assert.deepEqual(asked, Array(2).fill('arn:aws:iam::1:role/ccx-archives token-of-the-pod'));
    await store.close();
  });

  test('where it has nothing, the start says what to set', async (t) => {
    const nowhere = temporaryFile('empty', '');
    environment(t, {
      AWS_EC2_METADATA_DISABLED: 'true',
      AWS_SHARED_CREDENTIALS_FILE: nowhere,
      AWS_CONFIG_FILE: nowhere,
    });
    await assert.rejects(open(chain), (error: CcxError) => {
      assert.equal(error.code, 'OBJECTS_LOGIN');
      assert.match(error.hint ?? '', /storage\.access_key.*AWS_ACCESS_KEY_ID/);
      return true;
    });
  });
});
