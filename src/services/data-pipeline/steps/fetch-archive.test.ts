/** What is tried again, for how long, and that nothing is held meanwhile. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { CcxError } from '../../../encoding/ccx-error.ts';
import type { StepAttempt } from '../../../platform/bus/intake/step.ts';
import { ByteBudget } from '../byte-budget.ts';
import type { DownloadRequest } from '../http-archive-source.ts';
import type { Upload } from '../upload.ts';
import { type FetchDependencies, fetchArchive } from './fetch-archive.ts';

const upload: Upload = {
  url: 'http://store/archive',
  announcedBytes: 100,
  requestId: 'req-1',
  orgId: 1,
  accountNumber: 0,
  clusterId: undefined,
  lastChecked: '2026-01-30T10:09:11Z',
  gatheredAt: new Date('2026-01-30T10:08:55Z'),
};
const first: StepAttempt = { number: 1, retryMs: 375, elapsedMs: 0, signal: new AbortController().signal };

function dependencies(
  download: (request: DownloadRequest) => Promise<Buffer>,
  change: Partial<FetchDependencies> = {},
): FetchDependencies {
  return {
    openFile: async () => undefined,
    download,
    budget: new ByteBudget(1000, 1000),
    linkPolicy: { allowUnsafeLinks: true, presignedS3Links: true, allowedHosts: [] },
    localLink: async (link) => link,
    archiveBytesMax: 1000,
    retryMsMax: 60_000,
    ...change,
  };
}

function failing(code: string, retryable: boolean) {
  return () => Promise.reject(new CcxError('trouble', { code, category: 'connection', retryable }));
}

test('an archive is handed on with a lease of its own size', async () => {
  const given = dependencies(async ({ reserve }) => {
    assert.ok(reserve(60));
    return Buffer.alloc(60);
  });
  const outcome = await fetchArchive(upload, given, first);
  assert.ok(outcome.kind === 'done');
  assert.deepEqual([outcome.value.bytes, given.budget.used()], [60, 60]);
  outcome.value.release();
  assert.equal(given.budget.used(), 0);
});

test('an archive that is a file of this machine is handed on by its name, holds no bytes, and is closed in the end', async () => {
  const closed: string[] = [];
  const file = { path: '/proc/1/fd/9', bytes: 60, close: async () => void closed.push('file') };
  const given = dependencies(() => assert.fail('asked'), { openFile: async () => file });
  const outcome = await fetchArchive(upload, given, first);
  assert.ok(outcome.kind === 'done');
  assert.deepEqual(outcome.value.packed, { path: file.path, bytes: 60 });
  assert.deepEqual([outcome.value.bytes, given.budget.used(), closed], [60, 0, []]);
  outcome.value.release();
  assert.deepEqual(closed, ['file']);
});

test('a file that is empty, too large or cannot be opened is followed, so that it ends as any other', async () => {
  const closed: number[] = [];
  for (const bytes of [0, 1001, undefined]) {
    const openFile = async () => {
      if (bytes === undefined) throw new CcxError('away', { code: 'OBJECTS_UNAVAILABLE', category: 'internal' });
      return { path: '/proc/1/fd/9', bytes, close: async () => void closed.push(bytes) };
    };
    const given = dependencies(failing('DOWNLOAD_STATUS', false), { openFile });
    const outcome = await fetchArchive(upload, given, first);
    assert.ok(outcome.kind === 'dead-letter');
    assert.equal(outcome.error.code, 'DOWNLOAD_STATUS');
  }
  assert.deepEqual(closed, [0, 1001]);
});

test('a link to a host that is not allowed is dead-lettered without a request', async () => {
  const given = dependencies(() => assert.fail('asked'), {
    linkPolicy: { allowUnsafeLinks: false, presignedS3Links: true, allowedHosts: ['minio'] },
  });
  const outcome = await fetchArchive(upload, given, first);
  assert.ok(outcome.kind === 'dead-letter');
  assert.deepEqual([outcome.error.code, outcome.error.message], ['DOWNLOAD_LINK_REFUSED', 'Invalid URL format']);
  assert.match(outcome.error.hint ?? '', /download\.allowed_hosts/);
});

test('a link is followed to where it leads within this process, and judged there', async () => {
  const asked: string[] = [];
  const given = dependencies(
    async ({ url }) => {
      asked.push(url);
      return Buffer.alloc(1);
    },
    {
      linkPolicy: { allowUnsafeLinks: false, presignedS3Links: true, allowedHosts: ['here:1'] },
      localLink: async (link) => link.replace('store', 'here:1'),
    },
  );
  const outcome = await fetchArchive(upload, given, first);
  assert.equal(outcome.kind, 'done');
  assert.deepEqual(asked, ['http://here:1/archive']);
});

test('what may pass is tried again after the pause of the attempt, and nothing is held meanwhile', async () => {
  const given = dependencies(failing('DOWNLOAD_UNREACHABLE', true));
  const pauses = [];
  for (const retryMs of [375, 750, 1500]) {
    const outcome = await fetchArchive(upload, given, { ...first, retryMs });
    assert.ok(outcome.kind === 'retry');
    pauses.push(outcome.afterMs);
    assert.equal(given.budget.used(), 0);
  }
  assert.deepEqual(pauses, [375, 750, 1500]);
});

test('what will not pass, or has been tried long enough, is dead-lettered', async () => {
  const never = await fetchArchive(upload, dependencies(failing('DOWNLOAD_STATUS', false)), first);
  assert.equal(never.kind, 'dead-letter');
  const given = dependencies(failing('DOWNLOAD_UNREACHABLE', true));
  const inTime = await fetchArchive(upload, given, { ...first, elapsedMs: 60_000 - 375 });
  const late = await fetchArchive(upload, given, { ...first, elapsedMs: 60_000 - 374 });
  assert.deepEqual([inTime.kind, late.kind], ['retry', 'dead-letter']);
});

test('an archive larger than announced grows into free room', async () => {
  const given = dependencies(async ({ reserve }) => {
    assert.ok(reserve(900));
    return Buffer.alloc(900);
  });
  const outcome = await fetchArchive(upload, given, first);
  assert.equal(outcome.kind, 'done');
  assert.equal(given.budget.used(), 900);
});

test('without room to grow it is dropped, and fetched again once the most is reserved', async () => {
  const budget = new ByteBudget(1000, 1000);
  const other = await budget.acquire(500, 1, first.signal);
  const reserved: number[] = [];
  const given = dependencies(
    async ({ reserve }) => {
      reserved.push(budget.used());
      if (!reserve(900)) {
        // The other archive ends while this one waits in line for the most.
        queueMicrotask(() => other.release());
        throw new CcxError('no room', { code: 'DOWNLOAD_NO_ROOM', category: 'limit', retryable: true });
      }
      return Buffer.alloc(900);
    },
    { budget },
  );
  const outcome = await fetchArchive(upload, given, first);
  assert.equal(outcome.kind, 'done');
  assert.deepEqual([reserved, budget.used()], [[600, 1000], 900]);
});

test('an announcement without a plausible size reserves the most', async () => {
  for (const announcedBytes of [undefined, 0, -5, 1001]) {
    const given = dependencies(async () => {
      assert.equal(given.budget.used(), 1000);
      return Buffer.alloc(1);
    });
    assert.equal((await fetchArchive({ ...upload, announcedBytes }, given, first)).kind, 'done');
  }
});

test('a download that is given up rejects and holds nothing', async () => {
  const giveUp = new AbortController();
  const given = dependencies(async ({ signal }) => {
    giveUp.abort();
    signal.throwIfAborted();
    return Buffer.alloc(1);
  });
  await assert.rejects(fetchArchive(upload, given, { ...first, signal: giveUp.signal }), { name: 'AbortError' });
  assert.equal(given.budget.used(), 0);
});

describe('an archive in our own bucket', () => {
  const ours = { ...upload, url: 'http://s3:9000/archives/req-1?X-Amz-Signature=1' };
  const refused = { allowUnsafeLinks: false, presignedS3Links: false, allowedHosts: [] };
  const bucket = (answer: Buffer | undefined) => {
    const asked: string[] = [];
    const fetch = async ({ key }: { readonly key: string }) => {
      asked.push(key);
      return answer;
    };
    return { asked, name: 'archives', fetch };
  };

  test('is fetched by its key, and no link is followed, whether or not it might be', async () => {
    const own = bucket(Buffer.alloc(60));
    for (const change of [{}, { linkPolicy: refused }]) {
      const given = dependencies(() => assert.fail('asked'), { bucket: own, ...change });
      const outcome = await fetchArchive(ours, given, first);
      assert.ok(outcome.kind === 'done');
      assert.equal(given.budget.used(), 60);
    }
    assert.deepEqual(own.asked, ['req-1', 'req-1']);
  });

  test('that is not there is asked for by its link, where that may be followed', async () => {
    const given = dependencies(async () => Buffer.alloc(1), { bucket: bucket(undefined) });
    assert.equal((await fetchArchive(ours, given, first)).kind, 'done');
  });

  test('G19: that is not there and has no other way is dead-lettered with the name of the bucket', async () => {
    const given = dependencies(() => assert.fail('asked'), { bucket: bucket(undefined), linkPolicy: refused });
    const outcome = await fetchArchive(ours, given, first);
    assert.ok(outcome.kind === 'dead-letter');
    assert.equal(outcome.error.code, 'ARCHIVE_GONE');
    assert.match(outcome.error.message, /archives/);
    assert.match(outcome.error.hint ?? '', /lifecycle/);
    assert.equal(given.budget.used(), 0);
  });

  test('G19: is asked for by its key when another link to it is forbidden: it has ended', async () => {
    const own = bucket(Buffer.alloc(60));
    const given = dependencies(failing('DOWNLOAD_FORBIDDEN', false), { bucket: own });
    assert.equal((await fetchArchive(upload, given, first)).kind, 'done');
    assert.deepEqual(own.asked, ['req-1']);
  });

  for (const [why, change, own] of [
    ['without a bucket', {}, undefined],
    ['where the bucket does not have it', {}, bucket(undefined)],
    ['without a request id', { requestId: null }, bucket(Buffer.alloc(1))],
    ['with a request id that is reserved', { requestId: 'outbox/1' }, bucket(Buffer.alloc(1))],
  ] as const) {
    test(`G19: a forbidden link is final ${why}`, async () => {
      const given = dependencies(failing('DOWNLOAD_FORBIDDEN', false), { bucket: own });
      const outcome = await fetchArchive({ ...upload, ...change }, given, first);
      assert.ok(outcome.kind === 'dead-letter');
      assert.equal(outcome.error.code, 'DOWNLOAD_FORBIDDEN');
    });
  }

  test('whose store is away is tried again, for as long as any other', async () => {
    const away = () =>
      Promise.reject(new CcxError('away', { code: 'OBJECTS_AWAY', category: 'connection', retryable: true }));
    const given = dependencies(() => assert.fail('asked'), { bucket: { name: 'archives', fetch: away } });
    assert.equal((await fetchArchive(ours, given, first)).kind, 'retry');
    assert.equal((await fetchArchive(ours, given, { ...first, elapsedMs: 60_000 })).kind, 'dead-letter');
  });
});
