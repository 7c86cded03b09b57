/** The test runner itself: what it leaves out, what it passes on, and the code it ends with. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const script = fileURLToPath(new URL('../../scripts/test.ts', import.meta.url));

function run(...args: string[]) {
  // Without Node's own marker the inner run would report to the outer one.
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, ...args], { env, encoding: 'utf8' });
  return { status, output: stdout + stderr };
}

/** Titles of tests in TAP output, without those that stand for a file. */
function titles(tap: string): string[] {
  return [...tap.matchAll(/^ *ok \d+ - (.*)$/gm)]
    .map((match) => match[1]!)
    .filter((title) => !title.endsWith('.test.ts'));
}

test('it runs the files whose path contains a filter and ends with their code', () => {
  const { status, output } = run('src/platform/clock/manual-clock', '--test-reporter=tap');
  assert.equal(status, 0, output);
  assert.ok(titles(output).length > 0, output);
});

test('a name pattern goes to node', () => {
  const { status, output } = run(
    'src/platform/clock',
    '--test-reporter=tap',
    '--test-name-pattern=no test has this name',
  );
  assert.equal(status, 0, output);
  assert.deepEqual(titles(output), []);
});

test('a filter that matches nothing, and an option nobody knows, are failures and not a green run', () => {
  assert.deepEqual(run('no-such-folder'), { status: 1, output: 'no test file matches no-such-folder\n' });
  const { status, output } = run('--kafak');
  assert.equal(status, 2);
  assert.match(output, /unknown option --kafak; known: --kafka, --pgbouncer, --load, --browser, --install/);
});
