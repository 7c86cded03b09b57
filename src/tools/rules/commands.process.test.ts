/** `ccx rules list`, as a person and as a script use it, and where it learns which rules run. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { runCcx } from '../../../test/support/ccx-process.ts';
import { temporaryFolder } from '../../../test/support/temporary-folder.ts';
import type { ListedRule } from './list-rules.ts';

async function tutorial(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<ListedRule> {
  const { code, stdout, stderr } = await runCcx(['rules', 'list', '--json', ...args], env);
  assert.deepEqual({ code, stderr }, { code: 0, stderr: '' });
  const rules = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as ListedRule);
  return rules.find(({ name }) => name === 'tutorial_rule')!;
}

test('a person reads each rule with its keys, their risk, and why one does not run', async () => {
  const { code, stdout } = await runCcx(['rules', 'list']);
  assert.equal(code, 0);
  assert.match(
    stdout,
    /^on {3}public {4}ccx_rules_ocp\.external\.rules\.mcp_set_to_pause\n {5}MCP_SET_TO_PAUSE {2}2 moderate$/m,
  );
  assert.match(stdout, /^off {2}public {4}\S+\.tutorial_rule {2}\(tutorial: rules\.tutorial = false \(default\)\)$/m);
  assert.match(stdout, /^on {3}report {4}\S+\.version_info$/m);
});

test('which rules run is read from the environment, and from the files of a data pipeline and of all-in-one', async () => {
  assert.equal((await tutorial([])).on, false);
  const fromEnvironment = await tutorial([], { CCX_DATA_PIPELINE__RULES__TUTORIAL: 'true' });
  assert.deepEqual([fromEnvironment.on, fromEnvironment.why], [true, 'tutorial: rules.tutorial = true (environment)']);
  const folder = temporaryFolder();
  for (const [name, text] of [
    ['data-pipeline.toml', '[bus]\nkind = "kafka"\n[rules]\ntutorial = true\n'],
    ['all-in-one.toml', '[run]\nport = 0\n[data-pipeline.rules]\ntutorial = true\n'],
  ] as const) {
    const path = join(folder, name);
    writeFileSync(path, text);
    assert.equal((await tutorial(['--config', path])).on, true, name);
    assert.equal((await tutorial([], { CCX_DATA_PIPELINE_CONFIG_FILE: path })).on, true, name);
  }
  const missing = await runCcx(['rules', 'list', '--config', join(folder, 'missing.toml')]);
  assert.match(missing.stderr, /\[CONFIG_/);
});
