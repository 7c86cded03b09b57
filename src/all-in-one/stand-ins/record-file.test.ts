/** The stand-ins' memory: what was answered for is there after any death, and the file stays bounded. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { appendFile, mkdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { temporaryFolder } from '../../../test/support/temporary-folder.ts';
import { openRecordFile } from './record-file.ts';

const temporaryPath = () => join(temporaryFolder(), 'below', 'records.jsonl');

test('what was appended is there after the file is opened again', async () => {
  const path = temporaryPath();
  const first = await openRecordFile<number>({ path, itemsMax: 10 });
  await Promise.all([first.append(1), first.append(2), first.append(3)]);
  // Not closed: as after a death.
  const second = await openRecordFile<number>({ path, itemsMax: 10 });
  assert.deepEqual(second.items(), [1, 2, 3]);
  await second.append(4);
  await Promise.all([first.close(), second.close()]);
  assert.equal(await readFile(path, 'utf8'), '1\n2\n3\n4\n');
});

test('a line that a death cut short is dropped, and the next one starts cleanly', async () => {
  const path = temporaryPath();
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

test('only the newest records are kept, and the file is written anew at twice as many', async () => {
  const path = temporaryPath();
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

test('replacing keeps only what was given', async () => {
  const path = temporaryPath();
  const records = await openRecordFile<number>({ path, itemsMax: 10 });
  await records.append(1);
  await records.append(2);
  await records.replace([2]);
  await records.append(3);
  await records.close();
  assert.equal(await readFile(path, 'utf8'), '2\n3\n');
});

test('changes that are asked for at once take effect in that order', async () => {
  const path = temporaryPath();
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

test('a line that a full disk cuts short is cut back: what is appended later stands alone', async () => {
  const path = temporaryPath();
  // A file that may not grow fails in the middle of a line, as a full disk does.
  const program = `
    import { openRecordFile } from ${JSON.stringify(new URL('./record-file.ts', import.meta.url).href)};
    const records = await openRecordFile({ path: ${JSON.stringify(path)}, itemsMax: 1000 });
    const append = (n, size) => records.append({ n, text: 'x'.repeat(size) }).then(() => n, (error) => error.code);
    console.log(JSON.stringify([await append(1, 3000), await append(2, 2000), await append(3, 200), records.items().map(({ n }) => n)]));
    await records.close();`;
  const { stdout } = await promisify(execFile)('sh', [
    '-c',
    'ulimit -f 8; exec "$0" --input-type=module -e "$1"',
    process.execPath,
    program,
  ]);
  assert.deepEqual(JSON.parse(stdout), [1, 'EFBIG', 3, [1, 3]]);
  const again = await openRecordFile<{ n: number }>({ path, itemsMax: 10, onTrouble: assert.fail });
  assert.deepEqual(
    again.items().map(({ n }) => n),
    [1, 3],
  );
  await again.close();
});

test('lines that cannot be read are moved aside; a whole record behind a torn one is kept', async () => {
  const path = temporaryPath();
  await mkdir(join(path, '..'));
  const torn = '{"id":"b","body":{"id":"in';
  await writeFile(path, `{"id":"a"}\nnot json\n${torn}{"id":"c","body":{"id":"inner"}}\n{"id":"d"}\n{"id":`);
  const troubles: string[] = [];
  const records = await openRecordFile({ path, itemsMax: 10, onTrouble: (text) => troubles.push(text) });
  assert.deepEqual(records.items(), [{ id: 'a' }, { id: 'c', body: { id: 'inner' } }, { id: 'd' }]);
  assert.deepEqual(troubles, [`2 unreadable lines of ${path} were moved to ${path}.unreadable`]);
  await records.append({ id: 'e' });
  await records.close();
  assert.equal(
    await readFile(`${path}.unreadable`, 'utf8'),
    `not json\n${torn}{"id":"c","body":{"id":"inner"}}\n`,
    'nothing is thrown away',
  );
  const again = await openRecordFile({ path, itemsMax: 10, onTrouble: assert.fail });
  assert.equal(again.items().length, 4);
  await again.close();
});

test('a file that cannot be used at all keeps nobody from starting', async () => {
  const path = temporaryPath();
  await mkdir(path, { recursive: true });
  const troubles: string[] = [];
  const records = await openRecordFile({ path, itemsMax: 10, onTrouble: (text) => troubles.push(text) });
  await records.append(1);
  await records.replace([...records.items(), 2]);
  assert.deepEqual(records.items(), [1, 2]);
  assert.match(troubles.join(), /cannot be used, what is received is kept in memory only: EISDIR/);
  await records.close();
});

test('a file that cannot be made shorter keeps what was asked for', async () => {
  const path = temporaryPath();
  const records = await openRecordFile<number>({ path, itemsMax: 2 });
  await mkdir(`${path}.new`);
  for (const item of [1, 2, 3, 4, 5]) await records.append(item);
  await assert.rejects(records.replace([]), { code: 'EISDIR' });
  assert.deepEqual(records.items(), [4, 5]);
  await rmdir(`${path}.new`);
  await records.append(6);
  await records.close();
  assert.equal(await readFile(path, 'utf8'), '5\n6\n');
});

test('a document that is no record is moved to the file beside it', async () => {
  const path = temporaryPath();
  await mkdir(join(path, '..'));
  await writeFile(path, 'null\n{"n":1}\n{}\n[]\n{"m":{"n":2}\n');
  const isItem = (document: unknown) => document !== null && typeof document === 'object' && 'n' in document;
  const records = await openRecordFile<{ n: number }>({ path, itemsMax: 10, isItem });
  assert.deepEqual(records.items(), [{ n: 1 }]);
  await records.close();
  assert.equal(await readFile(`${path}.unreadable`, 'utf8'), 'null\n{}\n[]\n{"m":{"n":2}\n');
});
