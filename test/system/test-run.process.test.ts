/** The test runner itself: what it leaves out, what it passes on, and the code it ends with. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const script = fileURLToPath(new URL('../../scripts/test.ts', import.meta.url));

function run(args: readonly string[], more: NodeJS.ProcessEnv = {}) {
  // Without Node's own marker the inner run would report to the outer one; what a build requires is this test's to say.
  const { NODE_TEST_CONTEXT: _, CI: __, CCX_TEST_INSTALLATION: ___, ...env } = process.env;
  const options = { env: { ...env, ...more }, encoding: 'utf8' } as const;
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, ...args], options);
  return { status, output: stdout + stderr };
}

/** Titles of tests in TAP output, without those that stand for a file. */
function titles(tap: string): string[] {
  return [...tap.matchAll(/^ *ok \d+ - (.*)$/gm)]
    .map((match) => match[1]!)
    .filter((title) => !title.endsWith('.test.ts'));
}

test('it runs the files whose path contains a filter and ends with their code', () => {
  const { status, output } = run(['src/platform/clock/manual-clock', '--test-reporter=tap']);
  assert.equal(status, 0, output);
  assert.ok(titles(output).length > 0, output);
});

test('a name pattern goes to node', () => {
  const { status, output } = run(['src/platform/clock', '--test-reporter=tap', '--test-name-pattern=no such test']);
  assert.equal(status, 0, output);
  assert.deepEqual(titles(output), []);
});

test('a filter that matches nothing, and an option nobody knows, are failures and not a green run', () => {
  assert.deepEqual(run(['no-such-folder']), { status: 1, output: 'no test file matches no-such-folder\n' });
  const { status, output } = run(['--kafak']);
  assert.equal(status, 2);
  assert.match(output, /^unknown option --kafak\nusage: /);
});

test('what was not asked for is named, and is a failure when nothing else is left', () => {
  assert.deepEqual(run(['system/take-over']), {
    status: 1,
    output: 'not asked for: *.process.test.ts (1 file)\nnothing to run without --process\n',
  });
});

test('what this machine has not is left out in a line that says so, unless it is required', () => {
  const leftOut = 'left out: *.install.test.ts (1 file): CCX_TEST_INSTALLATION is not set\n';
  for (const args of [['--all'], ['--rest'], ['--install']])
    assert.deepEqual(run([...args, 'every-program']), { status: 0, output: leftOut });
  assert.deepEqual(run(['--all', 'every-program'], { CCX_REQUIRE_INSTALL: '1' }), {
    status: 1,
    output: `${leftOut}CCX_TEST_INSTALLATION is not set, and CCX_REQUIRE_INSTALL wants it\n`,
  });
});
