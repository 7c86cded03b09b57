/** The directory against the object store contract, and what only a directory has: names, left-overs, retention, a disk that fills up. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { describe, type TestContext, test } from 'node:test';
import { createManualClock, type ManualClock } from '../../clock/manual-clock.ts';
import { freeInodesMin, objectsUnavailable } from '../object-errors.ts';
import { objectStoreContract } from '../object-store.contract.ts';
import type { ObjectStore } from '../object-store.ts';
import {
  type DirectoryObjectStore,
  type DirectoryStoreOptions,
  freeCheckedEveryBytes,
  openDirectoryStore,
  retentionEveryMs,
} from './directory-store.ts';
import { spaceHoldsMs } from './free-space.ts';
import { outboxReachMs } from './retention.ts';
import { leftOverAgeMs } from './temporary-folder.ts';

objectStoreContract('directory', async () => {
  const path = await mkdtemp(join(tmpdir(), 'ccx-objects-'));
  const stores: DirectoryObjectStore[] = [];
  const open = async () => {
    const store = await openDirectoryStore({ path, clock: createManualClock() });
    stores.push(store);
    return store;
  };
  return {
    store: await open(),
    reopen: open,
    async close() {
      for (const store of stores) await store.close();
      await rm(path, { recursive: true });
    },
  };
});

interface Fixture {
  readonly path: string;
  readonly clock: ManualClock;
  readonly store: DirectoryObjectStore;
}

async function fixture(t: TestContext, options: Partial<DirectoryStoreOptions> = {}): Promise<Fixture> {
  const path = await mkdtemp(join(tmpdir(), 'ccx-objects-'));
  const clock = createManualClock();
  const store = await openDirectoryStore({ path, clock, ...options });
  t.after(async () => {
    await store.close();
    await rm(path, { recursive: true });
  });
  return { path, clock, store };
}

async function keysOf(store: ObjectStore): Promise<string[]> {
  const keys: string[] = [];
  for await (const object of store.list('')) keys.push(object.key);
  return keys;
}

async function unfinishedFiles(path: string): Promise<string[]> {
  const names: string[] = [];
  for (const folder of await readdir(join(path, '.unfinished'))) {
    for (const name of await readdir(join(path, '.unfinished', folder))) names.push(`${folder}/${name}`);
  }
  return names;
}

describe('files', () => {
  test('leave nothing unfinished where one of an object cannot take its place', async (t) => {
    const { path, store } = await fixture(t);
    const key = 'x'.repeat(300);
    await store.put(key, Buffer.from('x'));
    const sidecar = (await readdir(path)).find((name) => name.endsWith('.meta'))!;
    await rm(join(path, sidecar));
    await mkdir(join(path, sidecar, 'in-the-way'), { recursive: true });
    await assert.rejects(store.put(key, Buffer.from('x')), { code: 'OBJECTS_UNAVAILABLE' });
    assert.deepEqual(await unfinishedFiles(path), []);
  });

  test('beside an archive of release 0.1.0 go with it, and are not asked', async (t) => {
    const { path, store } = await fixture(t);
    for (const key of ['a', 'b']) {
      await store.put(key, Buffer.from(key));
      await writeFile(join(path, `${key}.meta`), `{"key":"${key}","contentType":"application/gzip"}`);
    }
    await store.put('a', Buffer.from('new'));
    assert.equal((await buffer((await store.get('a'))!.body)).toString(), 'new');
    assert.deepEqual(await keysOf(store), ['a', 'b']);
    await store.delete('a');
    assert.deepEqual((await readdir(path)).sort(), ['.unfinished', 'b', 'b.meta', 'ingress', 'outbox']);
  });

  test('are called as the key, if that is letters and digits only', async (t) => {
    const { path, store } = await fixture(t);
    await store.put('e6b06142958942139a5e1e2f513c448b', Buffer.from('x'));
    await store.put('e6b06142-9589', Buffer.from('x'));
    await store.put('...etc/passwd', Buffer.from('x'));
    await store.put('outbox/00001', Buffer.from('x'));
    assert.deepEqual((await readdir(path)).sort(), [
      '%2E%2E%2Eetc%2Fpasswd',
      '.unfinished',
      'e6b06142%2D9589',
      'e6b06142958942139a5e1e2f513c448b',
      'ingress',
      'outbox',
    ]);
    assert.deepEqual(await readdir(join(path, 'outbox')), ['00001']);
  });

  test('of others are not objects', async (t) => {
    const { path, store } = await fixture(t);
    await writeFile(join(path, 'README.md'), 'x');
    await writeFile(join(path, '%zz'), 'x');
    await mkdir(join(path, 'lost'));
    assert.deepEqual(await keysOf(store), []);
  });

  test('that were aborted leave nothing behind', async (t) => {
    const { path, store } = await fixture(t);
    const source = new Readable({ read() {} });
    source.push(Buffer.alloc(100_000));
    const putting = store.put('aborted', source);
    source.destroy(new Error('aborted'));
    await assert.rejects(putting, /aborted/);
    assert.deepEqual(await unfinishedFiles(path), []);
    assert.deepEqual(await keysOf(store), []);
  });
});

describe('left-overs', () => {
  test('of a process that was killed in the middle of a put are swept by the next one', async (t) => {
    const { path } = await fixture(t);
    const script = `
      const { Readable } = await import('node:stream');
      const { createSystemClock } = await import(${JSON.stringify(new URL('../../clock/clock.ts', import.meta.url).href)});
      const { openDirectoryStore } = await import(${JSON.stringify(new URL('./directory-store.ts', import.meta.url).href)});
      const store = await openDirectoryStore({ path: ${JSON.stringify(path)}, clock: createSystemClock() });
      const source = new Readable({ read() {} });
      source.push(Buffer.alloc(100_000));
      store.put('half', source);
      process.stdout.write('writing');
      setInterval(() => undefined, 1_000);
    `;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(child.stdout, 'data');
    while ((await unfinishedFiles(path)).length === 0) await new Promise((resolve) => setImmediate(resolve));

    const beside = await openDirectoryStore({ path, clock: createManualClock() });
    assert.equal((await unfinishedFiles(path)).length, 1, 'a process that lives is left alone');
    await beside.close();

    child.kill('SIGKILL');
    await once(child, 'exit');
    const next = await openDirectoryStore({ path, clock: createManualClock() });
    assert.deepEqual(await unfinishedFiles(path), []);
    assert.deepEqual(await keysOf(next), []);
    await next.close();
  });

  test('of an earlier process with the same pid are swept, those of another machine after their time', async (t) => {
    const { path, clock, store } = await fixture(t);
    const samePid = join(path, '.unfinished', `${hostname().replace(/[^A-Za-z0-9.]/g, '_')}-${process.pid}-before`);
    const elsewhere = join(path, '.unfinished', `elsewhere-1-before`);
    await mkdir(samePid);
    await mkdir(elsewhere);
    clock.setNow(new Date());
    await store.enforceRetention();
    assert.equal((await readdir(join(path, '.unfinished'))).includes('elsewhere-1-before'), true);
    assert.equal((await readdir(join(path, '.unfinished'))).length, 2, 'the own folder and the one from elsewhere');
    clock.setNow(new Date(Date.now() + leftOverAgeMs + 1_000));
    await store.enforceRetention();
    assert.equal((await readdir(join(path, '.unfinished'))).length, 1);
  });

  test('metadata without an object goes after its time', async (t) => {
    const { path, clock, store } = await fixture(t);
    await writeFile(join(path, 'lonely.meta'), '{}');
    clock.setNow(new Date(Date.now() + leftOverAgeMs + 1_000));
    await store.enforceRetention();
    assert.equal((await readdir(path)).includes('lonely.meta'), false);
  });
});

describe('retention', () => {
  const hourMs = 3_600_000;
  /** An object that was stored when the clock stood there. */
  async function putAt({ path, clock, store }: Fixture, key: string, body: Buffer): Promise<void> {
    await store.put(key, body);
    await utimes(join(path, key), clock.now(), clock.now());
  }

  test('removes what is older than the age, and not what is exactly as old', async (t) => {
    const it = await fixture(t, { retention: { ageMs: hourMs, totalBytes: 1_000 } });
    const { clock, store } = it;
    await putAt(it, 'old', Buffer.from('123'));
    await clock.advance(1);
    await putAt(it, 'young', Buffer.from('45'));
    await clock.advance(hourMs);
    const report = await store.enforceRetention();
    assert.deepEqual(await keysOf(store), ['young']);
    assert.deepEqual(report, { keptObjects: 1, keptBytes: 2, removedObjects: 1, removedBytes: 3 });
  });

  test('removes the oldest of what is more than the total', async (t) => {
    const it = await fixture(t, { retention: { ageMs: hourMs, totalBytes: 20 } });
    const { clock, store } = it;
    for (const key of ['a', 'b', 'c']) {
      await putAt(it, key, Buffer.alloc(10));
      await clock.advance(1);
    }
    await store.enforceRetention();
    assert.deepEqual(await keysOf(store), ['b', 'c']);
  });

  test('keeps what an announcement in the outbox may point to, and the reserved folders', async (t) => {
    const it = await fixture(t, { retention: { ageMs: hourMs, totalBytes: 0 } });
    const { clock, store } = it;
    await putAt(it, 'before', Buffer.from('x'));
    await clock.advance(outboxReachMs + 1_000);
    await putAt(it, 'announced', Buffer.from('x'));
    await clock.advance(1_000);
    await putAt(it, 'outbox/1', Buffer.from('{}'));
    await putAt(it, 'ingress/key', Buffer.from('k'));
    await clock.advance(24 * hourMs);
    await store.enforceRetention();
    assert.deepEqual(await keysOf(store), ['announced', 'ingress/key', 'outbox/1']);
    await store.delete('outbox/1');
    await store.enforceRetention();
    assert.deepEqual(await keysOf(store), ['ingress/key']);
  });

  test('runs by itself', async (t) => {
    const reported = Promise.withResolvers<unknown>();
    const it = await fixture(t, {
      retention: { ageMs: 0, totalBytes: 0 },
      onRetention: reported.resolve,
    });
    await putAt(it, 'a', Buffer.from('123'));
    await it.clock.advance(retentionEveryMs);
    assert.deepEqual(await reported.promise, { keptObjects: 0, keptBytes: 0, removedObjects: 1, removedBytes: 3 });
  });
});

describe('a disk that fills up', () => {
  test('is told before it is full', async (t) => {
    const disk = { free: 1_000 };
    const { path, store } = await fixture(t, {
      freeBytesMin: 1_000,
      space: async () => ({ freeBytes: disk.free, freeInodes: undefined }),
    });
    await store.check();
    await store.put('fits', Buffer.alloc(0));
    disk.free = 999;
    await assert.rejects(store.check(), { code: 'OBJECTS_DISK_FULL', retryable: true });
    await assert.rejects(store.put('more', Readable.from(['x'])), { code: 'OBJECTS_DISK_FULL' });
    disk.free = 1_005;
    await assert.rejects(store.put('more', Buffer.alloc(6)), { code: 'OBJECTS_DISK_FULL' });
    await store.put('more', Buffer.alloc(5));
    assert.deepEqual(await unfinishedFiles(path), []);
  });

  test('is looked at once for an object, and refuses none that is written already', async (t) => {
    const looks: number[] = [];
    const { store } = await fixture(t, {
      freeBytesMin: 1_000,
      // What the object itself has taken brings the disk below its bound.
      space: async () => ({ freeBytes: looks.push(0) === 1 ? 1_005 : 999, freeInodes: undefined }),
    });
    await store.put('a', Buffer.alloc(5));
    assert.equal(looks.length, 1);
  });

  test('is looked at once a second while there is ample room, and by every object where there is not', async (t) => {
    const disk = { free: 10 * 1024 ** 3, looks: 0 };
    const { store, clock } = await fixture(t, {
      freeBytesMin: 1_000,
      space: async () => {
        disk.looks += 1;
        return { freeBytes: disk.free, freeInodes: undefined };
      },
    });
    const looksOf = async (keys: readonly string[]) => {
      const before = disk.looks;
      for (const key of keys) await store.put(key, Buffer.alloc(5));
      return disk.looks - before;
    };
    assert.equal(await looksOf(['a', 'b', 'c']), 1);
    await clock.advance(spaceHoldsMs);
    disk.free = 1_020;
    assert.equal(await looksOf(['d', 'e', 'f']), 3);
    disk.free = 1_004;
    await assert.rejects(store.put('g', Buffer.alloc(5)), { code: 'OBJECTS_DISK_FULL' });
  });

  test('is noticed while a long stream is written', async (t) => {
    const disk = { free: 10_000 };
    const { path, store } = await fixture(t, {
      freeBytesMin: 1_000,
      space: async () => ({ freeBytes: disk.free, freeInodes: undefined }),
    });
    const source = Readable.from(
      (function* () {
        yield Buffer.alloc(freeCheckedEveryBytes - 1);
        disk.free = 500;
        yield Buffer.alloc(1);
        yield Buffer.alloc(1);
      })(),
    );
    await assert.rejects(store.put('long', source), { code: 'OBJECTS_DISK_FULL' });
    assert.deepEqual(await keysOf(store), []);
    assert.deepEqual(await unfinishedFiles(path), []);
  });

  test('can still be read', async (t) => {
    const disk = { free: 10_000 };
    const { store } = await fixture(t, {
      freeBytesMin: 1_000,
      space: async () => ({ freeBytes: disk.free, freeInodes: undefined }),
    });
    await store.put('a', Buffer.from('x'));
    disk.free = 0;
    assert.equal((await buffer((await store.get('a'))!.body)).toString(), 'x');
    await store.delete('a');
  });
});

describe('a disk whose inodes are used up', () => {
  test('is found out by the check, and says so', async (t) => {
    const disk = { freeInodes: freeInodesMin };
    const { store } = await fixture(t, {
      freeBytesMin: 0,
      space: async () => ({ freeBytes: 1_000_000, freeInodes: disk.freeInodes }),
    });
    await store.check();
    disk.freeInodes -= 1;
    const failure = {
      code: 'OBJECTS_INODES_FULL',
      retryable: true,
      message: /takes no more files: 7 inodes are free, 8/,
    };
    await assert.rejects(store.check(), failure);
    await assert.rejects(store.put('a', Buffer.from('x')), failure);
  });
});

describe('what the system says', () => {
  for (const [system, code, hint] of [
    ['EROFS', 'OBJECTS_READ_ONLY', /mount it for writing/],
    ['EMFILE', 'OBJECTS_DESCRIPTORS', /ulimit -n.*web\.connections_max/],
    ['ENFILE', 'OBJECTS_DESCRIPTORS', /ulimit -n/],
  ] as const) {
    test(`${system} has a code and a hint of its own`, () => {
      const error = objectsUnavailable(
        'store "a"',
        Object.assign(new Error(system), { code: system, syscall: 'open' }),
      );
      assert.deepEqual([error.code, error.retryable], [code, true]);
      assert.match(error.hint ?? '', hint);
    });
  }

  /** A small file system of its own; skips the test and answers undefined where this user may not mount one. */
  async function small(t: TestContext, options: string): Promise<string | undefined> {
    if (process.platform !== 'linux' || process.getuid?.() !== 0) {
      t.skip('only root can mount a file system');
      return undefined;
    }
    const path = await mkdtemp(join(tmpdir(), 'ccx-objects-'));
    const isMounted = spawnSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', path]).status === 0;
    t.after(async () => {
      if (isMounted) spawnSync('umount', ['--lazy', path]);
      await rm(path, { recursive: true });
    });
    if (isMounted) return path;
    t.skip('this machine does not let root mount a file system');
    return undefined;
  }

  test('of a disk without inodes: the check and a put name them', async (t) => {
    const path = await small(t, 'size=10m,nr_inodes=40');
    if (path === undefined) return;
    const store = await openDirectoryStore({ path, clock: createManualClock(), freeBytesMin: 0 });
    await store.put('first', Buffer.from('x'));
    for (let n = 0; ; n += 1)
      if (
        await writeFile(join(path, `other${n}`), '').then(
          () => false,
          () => true,
        )
      )
        break;
    await assert.rejects(store.check(), { code: 'OBJECTS_INODES_FULL' });
    await assert.rejects(store.put('second', Buffer.from('x')), { code: 'OBJECTS_INODES_FULL' });
    await store.close();
  });

  test('of a full disk: a put says how much is free, and leaves nothing', async (t) => {
    const path = await small(t, 'size=1m');
    if (path === undefined) return;
    const store = await openDirectoryStore({ path, clock: createManualClock(), freeBytesMin: 0 });
    await assert.rejects(store.put('large', Buffer.alloc(2 * 1024 * 1024)), { code: 'OBJECTS_DISK_FULL' });
    const pieces = Readable.from(
      (function* () {
        for (let n = 0; n < 40; n += 1) yield Buffer.alloc(65_536);
      })(),
    );
    await assert.rejects(store.put('stream', pieces), { code: 'OBJECTS_DISK_FULL', message: /\d+ bytes are free/ });
    assert.deepEqual(await unfinishedFiles(path), []);
    await store.put('small', Buffer.from('x'));
    await store.close();
  });

  test('of a read-only disk: at the start and later it is called so', async (t) => {
    const path = await small(t, 'size=1m');
    if (path === undefined) return;
    const store = await openDirectoryStore({ path, clock: createManualClock(), freeBytesMin: 0 });
    await store.put('a', Buffer.from('x'));
    assert.equal(spawnSync('mount', ['-o', 'remount,ro', path]).status, 0);
    const readOnly = { code: 'OBJECTS_READ_ONLY', message: /its disk is read-only/ };
    await assert.rejects(store.check(), readOnly);
    await assert.rejects(store.put('b', Readable.from(['x'])), readOnly);
    await assert.rejects(store.delete('a'), readOnly);
    for (const place of [path, join(path, 'new'), join(path, 'new/deeper')])
      await assert.rejects(openDirectoryStore({ path: place, clock: createManualClock() }), readOnly);
    assert.equal((await buffer((await store.get('a'))!.body)).toString(), 'x');
    assert.equal(spawnSync('mount', ['-o', 'remount,rw', path]).status, 0);
    await store.put('b', Buffer.from('x'));
    await store.close();
  });
});

test('a path that cannot be a directory is one clear error', async (t) => {
  const { path } = await fixture(t);
  await writeFile(join(path, 'file'), 'x');
  await assert.rejects(openDirectoryStore({ path: join(path, 'file'), clock: createManualClock() }), {
    code: 'OBJECTS_UNAVAILABLE',
  });
});

test('a directory that disappears fails the check', async (t) => {
  const { path, store } = await fixture(t);
  await rm(path, { recursive: true });
  await assert.rejects(store.check(), { code: 'OBJECTS_UNAVAILABLE' });
  await assert.rejects(store.put('a', Buffer.from('x')), { code: 'OBJECTS_UNAVAILABLE' });
  await mkdir(path);
});
