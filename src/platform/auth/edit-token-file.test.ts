/** The token file is changed whole or not at all, by one at a time, and readers of it see each change within 15 s. */
import assert from 'node:assert/strict';
import { chmod, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { sha256, tokensFile } from '../../../test/support/operator-tokens.ts';
import { temporaryFolder } from '../../../test/support/temporary-folder.ts';
import { createSystemClock } from '../clock/clock.ts';
import { createManualClock } from '../clock/manual-clock.ts';
import { editTokenFile } from './edit-token-file.ts';
import { openTokenFile } from './token-table.ts';

const entry = (token: string, more: object = {}) => ({ sha256: sha256(token), org_id: '1', ...more });
const clock = createSystemClock();

function add(path: string, token: string, more: object = {}) {
  return editTokenFile(path, (file) => ({ ...file, tokens: [...file.tokens, entry(token, more)] }), clock);
}

async function tokensOf(path: string): Promise<readonly { sha256: string }[]> {
  return (JSON.parse(await readFile(path, 'utf8')) as { tokens: { sha256: string }[] }).tokens;
}

test('of many writers at once each one’s change is there, for nobody else to read, and nothing else is left', async () => {
  const path = join(temporaryFolder(), 'tokens.json');
  const names = Array.from({ length: 8 }, (_, index) => `token ${index}`);
  await Promise.all(names.map((name) => add(path, name)));
  assert.deepEqual((await tokensOf(path)).map((token) => token.sha256).sort(), names.map(sha256).sort());
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  assert.deepEqual(await readdir(dirname(path)), ['tokens.json']);
});

test('what it does not know stays, a link stays a link, and a change that makes no sense is not stored', async () => {
  const target = tokensFile({ comment: 'ours', tokens: [entry('old', { since: 2024 })] });
  const path = join(temporaryFolder(), 'tokens.json');
  await symlink(target, path);
  await add(path, 'new', { scopes: ['organization'] });
  assert.deepEqual(JSON.parse(await readFile(target, 'utf8')), {
    comment: 'ours',
    tokens: [entry('old', { since: 2024 }), entry('new', { scopes: ['organization'] })],
  });
  const before = await readFile(target, 'utf8');
  for (const more of [{ scopes: ['write'] }, { scopes: [] }, { scopes: ['admin'] }, { org_id: 'x' }])
    await assert.rejects(add(path, 'bad', more), { code: 'TOKENS_INVALID' }, JSON.stringify(more));
  await assert.rejects(add(path, 'old'), { code: 'TOKENS_INVALID' }, 'twice');
  assert.equal(await readFile(target, 'utf8'), before);
});

test('a file that others may read stays one: the service may run as another account', async () => {
  const path = tokensFile({ tokens: [] });
  await chmod(path, 0o640);
  const { uid, gid } = await stat(path);
  await add(path, 'new');
  const after = await stat(path);
  assert.deepEqual([after.mode & 0o777, after.uid, after.gid], [0o640, uid, gid]);
});

test('who finds it locked waits, and says in the end which file to look at', async () => {
  const path = tokensFile({ tokens: [] });
  await writeFile(`${path}.lock`, '');
  const manual = createManualClock();
  const impatient = { ...manual, sleep: (ms: number) => manual.advance(ms) };
  await assert.rejects(
    editTokenFile(path, () => assert.fail('it was not to be changed'), impatient),
    (error: Error & { code?: string; hint?: string }) =>
      error.code === 'TOKENS_LOCKED' && error.hint?.includes(`${path}.lock`) === true,
  );
});

test('a revoked token counts no more within 15 s', async (t) => {
  const path = tokensFile({ tokens: [entry('one'), entry('two')] });
  const manual = createManualClock();
  let loaded = () => {};
  const table = await openTokenFile({ path, clock: manual, onLoaded: () => loaded(), onFailed: assert.ifError });
  t.after(() => table.close());
  const reloaded = new Promise<void>((resolve) => {
    loaded = resolve;
  });
  await editTokenFile(path, (file) => ({ ...file, tokens: file.tokens.slice(1) }), clock);
  await manual.advance(15_000);
  await reloaded;
  assert.deepEqual([table.find('one'), table.find('two')?.orgId], [undefined, '1']);
});
