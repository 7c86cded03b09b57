/** `ccx tokens`, as a person and as a script use it: the token is shown once, its hash is stored, and what nobody can mean is refused. */
import assert from 'node:assert/strict';
import { chmod, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { runCcx } from '../../../test/support/ccx-process.ts';
import { cluster, sha256 } from '../../../test/support/operator-tokens.ts';
import { temporaryFolder } from '../../../test/support/temporary-folder.ts';

const tokens = (path: string, ...args: string[]) => runCcx(['tokens', ...args, '--tokens-file', path]);

test('a token is made, listed and revoked', async () => {
  const path = join(temporaryFolder(), 'tokens.json');
  const added = await tokens(path, 'add', '--organization', '7', '--cluster', cluster.toUpperCase(), '--name', 'one');
  assert.deepEqual(added.code, 0, added.stderr);
  assert.match(added.stderr, /its hash only: keep the token/);
  const token = added.stdout.trim();
  // What a pull secret takes: base64 of a name and a password.
  assert.match(Buffer.from(token, 'base64').toString(), /^ccx:[\w-]{43}$/);
  assert.equal(Buffer.from(token, 'base64').toString('base64'), token);
  const stored = await readFile(path, 'utf8');
  assert.ok(!stored.includes(token), stored);
  assert.deepEqual(JSON.parse(stored), {
    tokens: [{ sha256: sha256(token), org_id: '7', cluster_id: cluster, name: 'one' }],
  });

  const hub = await tokens(path, 'add', '--organization', '7', '--scope', 'organization', 'write', '--json');
  const { token: hubToken } = JSON.parse(hub.stdout) as { token: string };
  const listed = (await tokens(path, 'list')).stdout;
  assert.equal(
    listed,
    `${sha256(token)}  organization 7  ${cluster}  cluster  "one"\n${sha256(hubToken)}  organization 7  uploads nothing  organization and write\n`,
  );

  const taken = await tokens(path, 'add', '--organization', '7', '--any-cluster', '--name', 'one');
  assert.deepEqual([taken.code, taken.stdout], [1, '']);
  assert.match(taken.stderr, /\[TOKEN_NAME\]/);
  assert.match((await tokens(path, 'revoke', 'one')).stdout, new RegExp(`^revoked {2}${sha256(token)} `));
  assert.equal((await tokens(path, 'revoke', sha256(hubToken).slice(0, 8))).code, 0);
  const again = await tokens(path, 'revoke', 'one');
  assert.equal(again.code, 2);
  assert.match(again.stderr, /\[TOKEN_UNKNOWN\]/);
  assert.equal((await tokens(path, 'list')).stdout, 'there is no token\n');
});

test('where the file cannot be written the entry is shown instead', async () => {
  // Root may write into any folder but the kernel's own.
  const folder = process.getuid?.() === 0 ? '/sys/kernel' : temporaryFolder();
  if (folder !== '/sys/kernel') await chmod(folder, 0o555);
  const { code, stdout, stderr } = await tokens(
    join(folder, 'tokens.json'),
    'add',
    '--organization',
    '7',
    '--any-cluster',
  );
  const [token = '', entry = ''] = stdout.split('\n');
  assert.deepEqual([code, JSON.parse(entry)], [2, { sha256: sha256(token), org_id: '7' }]);
  assert.match(stderr, /\[TOKENS_READ_ONLY\]\n.*the Secret that is mounted there/);
});

test('what nobody can mean is refused by name', async () => {
  const path = join(temporaryFolder(), 'tokens.json');
  await writeFile(path, JSON.stringify({ tokens: [{ sha256: sha256('a'), org_id: '1' }] }));
  const organization = ['--organization', '1'];
  for (const [code, ...args] of [
    ['TOKEN_CLUSTER', 'add', ...organization],
    ['TOKEN_CLUSTER', 'add', ...organization, '--cluster', cluster, '--any-cluster'],
    ['TOKEN_SCOPE', 'add', ...organization, '--scope', 'write'],
    ['TOKEN_KNOWN', 'add', ...organization, '--any-cluster', '--sha256', sha256('a').toUpperCase()],
  ] as const) {
    const { code: exitCode, stdout, stderr } = await tokens(path, ...args);
    assert.deepEqual([exitCode, stdout], [1, ''], args.join(' '));
    assert.match(stderr, new RegExp(`\\[${code}\\]`), args.join(' '));
  }
  assert.match((await runCcx(['tokens', 'list'])).stderr, /\[TOKENS_NO_FILE\]\n.*CCX_INGRESS__GATEWAY__TOKENS_FILE/);
});
