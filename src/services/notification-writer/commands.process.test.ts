/** `ccx writer` as a process: what a start that fails ends with, and that it is reported once. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { runCcx } from '../../../test/support/ccx-process.ts';
import { createTestDatabase, type TestDatabase } from '../../../test/support/postgres.ts';

let context: TestDatabase;
beforeEach(async () => {
  context = await createTestDatabase({ migrated: true });
});
afterEach(() => context.drop());

test('a refused password ends with 5, on the embedded bus too', async () => {
  const url = new URL(context.url);
  url.password = 'wrong';
  const kafka = ['--bus', 'kafka', '--brokers', '127.0.0.1:1'];
  const { code, stdout, stderr } = await runCcx(['writer'], { CCX_DATABASE_URL: url.href });
  assert.deepEqual([code, stdout], [5, ''], stderr);
  assert.match(
    stderr,
    /^ccx: the database server at .* refuses user .*\[DATABASE_AUTH\]\n {2}correct user and password in storage\.url/,
  );
  assert.equal(stderr.trimEnd().split('\n').length, 2, stderr);
  assert.equal((await runCcx(['writer', ...kafka], { CCX_DATABASE_URL: url.href })).code, 2, 'its brokers come first');
});

test('a database that is away ends with 5', async () => {
  const { code, stderr } = await runCcx(['writer'], { CCX_DATABASE_URL: 'postgres://a:b@127.0.0.1:1/x' });
  assert.equal(code, 5, stderr);
  assert.match(stderr, /\[DATABASE_UNREACHABLE\]/);
});
