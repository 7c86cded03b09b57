/** Which data folder is a copy, and what lets it start. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { cp, mkdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, test } from 'node:test';
import { temporaryFolder } from '../../../test/support/temporary-folder.ts';
import { type Installation, readInstallation, recogniseInstallation, writeInstallation } from './installation-file.ts';

let parent: string;
beforeEach(() => {
  parent = temporaryFolder();
});

interface Given {
  readonly originalIsGone?: boolean;
  readonly host?: string;
  readonly running?: readonly string[];
}

const recognise = (name: string, { originalIsGone = false, host = 'here', running = [] }: Given = {}) =>
  recogniseInstallation({
    ...{ folder: join(parent, name), host, originalIsGone, uuid: randomUUID },
    runsOn: async (folder) => running.includes(folder),
  });

/** A folder that was started once. */
async function make(name: string, more: Partial<Installation> = {}): Promise<Installation> {
  const folder = join(parent, name);
  await mkdir(folder);
  const installation = { id: randomUUID(), host: 'here', folder, ...more };
  await writeInstallation(folder, installation);
  return installation;
}

const from = () => ({ id: randomUUID(), host: 'here', folder: join(parent, 'original') });
const restored = (state: 'unfinished' | 'unconfirmed' | 'confirmed') => ({
  restored: { from: from(), taken_at: '2026-11-26T02:00:00.000Z', state },
});

test('a folder without a file is an installation of its own', async () => {
  await mkdir(join(parent, 'a'));
  const found = await recognise('a');
  assert.deepEqual([found?.host, found?.folder], ['here', join(parent, 'a')]);
});

test('one that lies where it lay has nothing to say', async () => {
  const made = await make('a');
  assert.equal(await recognise('a'), undefined);
  assert.deepEqual(await recognise('a', { host: 'renamed' }), { ...made, host: 'renamed' }, 'as a pod is');
});

test('one that was moved goes on, one that was copied beside its original does not', async () => {
  const made = await make('a');
  await rename(join(parent, 'a'), join(parent, 'b'));
  assert.deepEqual(await recognise('b'), { ...made, folder: join(parent, 'b') });
  await writeInstallation(join(parent, 'b'), { ...made, folder: join(parent, 'b') });
  await cp(join(parent, 'b'), join(parent, 'c'), { recursive: true });
  await assert.rejects(recognise('c'), { code: 'INSTALLATION_COPY' });
  const confirmed = await recognise('c', { originalIsGone: true });
  assert.notEqual(confirmed?.id, made.id, 'from then on it is another one');
  const runs = { originalIsGone: true, running: [join(parent, 'b')] };
  await assert.rejects(recognise('c', runs), { code: 'INSTALLATION_ORIGINAL_RUNS' });
  await rm(join(parent, 'b'), { recursive: true });
  assert.equal((await recognise('c'))?.id, made.id, 'the original is gone');
});

test('the same folder under another name is no copy', async () => {
  const made = await make('a');
  await symlink(join(parent, 'a'), join(parent, 'link'));
  assert.deepEqual(await recognise('link'), { ...made, folder: join(parent, 'link') });
});

test('a restored one asks until it is confirmed, and not while its original runs', async () => {
  const made = await make('a', restored('unconfirmed'));
  await assert.rejects(recognise('a'), { code: 'INSTALLATION_COPY', message: /original on here.*2026-11-26/ });
  const runs = { originalIsGone: true, running: [join(parent, 'original')] };
  await assert.rejects(recognise('a', runs), { code: 'INSTALLATION_ORIGINAL_RUNS' });
  const confirmed = await recognise('a', { originalIsGone: true });
  assert.deepEqual(confirmed, { ...made, restored: { ...made.restored, state: 'confirmed' } });
  await writeInstallation(join(parent, 'a'), confirmed!);
  assert.equal(await recognise('a'), undefined);
});

test('a server in the folder itself is not the original', async () => {
  const { restored: was } = restored('unconfirmed');
  const folder = join(parent, 'a');
  await make('a', { restored: { ...was, from: { ...was.from, folder } } });
  await assert.rejects(recognise('a', { running: [folder] }), { code: 'INSTALLATION_COPY' });
  assert.equal((await recognise('a', { originalIsGone: true, running: [folder] }))?.restored?.state, 'confirmed');
});

test('one that was not restored to its end does not start, whatever is said', async () => {
  await make('a', restored('unfinished'));
  await assert.rejects(recognise('a', { originalIsGone: true }), { code: 'RESTORE_UNFINISHED' });
});

test('a file that says nothing does not pass for none', async () => {
  await make('a');
  await writeFile(join(parent, 'a', 'installation.json'), '{}');
  await assert.rejects(recognise('a'), { code: 'INSTALLATION_FILE' });
});

test('it is read back as it was written, and others cannot read it', async () => {
  const made = await make('a', restored('confirmed'));
  assert.deepEqual(await readInstallation(join(parent, 'a')), made);
  assert.deepEqual(JSON.parse(await readFile(join(parent, 'a', 'installation.json'), 'utf8')), made);
});
