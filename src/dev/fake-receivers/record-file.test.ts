/** The stand-ins' memory: what was answered for is there after any death, and the file stays bounded. */
import assert from 'node:assert/strict';
import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { openRecordFile } from './record-file.ts';

async function temporaryPath(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'records-'));
  t.after(() => rm(folder, { recursive: true }));
  return join(folder, 'below', 'records.jsonl');
}

test('what was appended is there after the file is opened again', async (t) => {
  const path = await temporaryPath(t);
  const first = await openRecordFile<number>({ path, itemsMax: 10 });
  await Promise.all([first.append(1), first.append(2), first.append(3)]);
  // Not closed: as after a death.
  const second = await openRecordFile<number>({ path, itemsMax: 10 });
  assert.deepEqual(second.items(), [1, 2, 3]);
  await second.append(4);
  await Promise.all([first.close(), second.close()]);
  assert.equal(await readFile(path, 'utf8'), '1\n2\n3\n4\n');
});

test('a line that a death cut short is dropped, and the next one starts cleanly', async (t) => {
  const path = await temporaryPath(t);
  const first = await openRecordFile<{ n: number }>({ path, itemsMax: 10 });
  await first.append({ n: 1 });
  await first.close();
  await appendFile(path, '{"n":');
  const second = await openRecordFile<{ n: number }>({ path, itemsMax: 10 });
  assert.deepEqual(second.items(), [{ n: 1 }]);
  await second.append({ n: 2 });
  await second.close();
  assert.equal(await readFile(path, 'utf8'), '{"n":1}\n{"n":2}\n');
});

test('only the newest records are kept, and the file is written anew at twice as many', async (t) => {
  const path = await temporaryPath(t);
  const records = await openRecordFile<number>({ path, itemsMax: 3 });
  for (let i = 1; i <= 6; i += 1) await records.append(i);
  assert.deepEqual(records.items(), [4, 5, 6]);
  assert.equal((await readFile(path, 'utf8')).split('\n').length, 7);
  await records.append(7);
  assert.equal(await readFile(path, 'utf8'), '5\n6\n7\n');
  await records.append(8);
  await records.close();
  assert.equal(await readFile(path, 'utf8'), '5\n6\n7\n8\n');
});

test('replacing keeps only what was given', async (t) => {
  const path = await temporaryPath(t);
  const records = await openRecordFile<number>({ path, itemsMax: 10 });
  await records.append(1);
  await records.append(2);
  await records.replace([2]);
  await records.append(3);
  await records.close();
  assert.equal(await readFile(path, 'utf8'), '2\n3\n');
});

test('changes that are asked for at once take effect in that order', async (t) => {
  const path = await temporaryPath(t);
  const records = await openRecordFile<number>({ path, itemsMax: 10 });
  await records.append(0);
  await Promise.all([
    records.append(1),
    records.append(2),
    records.replace([9]),
    records.append(3),
    records.append(4),
    records.close(),
  ]);
  assert.deepEqual(records.items(), [9, 3, 4]);
  assert.equal(await readFile(path, 'utf8'), '9\n3\n4\n');
});

test('without a path everything is in memory', async () => {
  const records = await openRecordFile<number>({ path: undefined, itemsMax: 2 });
  for (const item of [1, 2, 3]) await records.append(item);
  await records.replace([...records.items(), 4]);
  assert.deepEqual(records.items(), [2, 3, 4]);
  await records.close();
});

test('a file that is something else is not overwritten', async (t) => {
  const path = join(await mkdtemp(join(tmpdir(), 'records-')), 'file');
  t.after(() => rm(join(path, '..'), { recursive: true }));
  await writeFile(path, 'not json\n');
  await assert.rejects(openRecordFile({ path, itemsMax: 10 }), { code: 'RECORD_FILE' });
  assert.equal(await readFile(path, 'utf8'), 'not json\n');
});
