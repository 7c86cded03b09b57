/** The flags of `ccx simulate`. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Command } from 'commander';
import { clustersMax, parallelUploadsMax, rateMax, register, speedMax } from './commands.ts';
import { PROVISIONAL_FINDINGS, SIMULATED_FINDINGS } from './simulate-cluster.ts';

function program(): Command {
  const root = new Command('ccx')
    .exitOverride()
    .configureOutput({ writeErr: () => undefined, writeOut: () => undefined });
  register(root, { env: {}, args: [], programName: 'ccx' });
  const [simulate] = root.commands;
  simulate!.exitOverride().configureOutput({ writeErr: () => undefined, writeOut: () => undefined });
  return root;
}

for (const [flag, max] of [
  ['--clusters', clustersMax],
  ['--parallel', parallelUploadsMax],
] as const) {
  test(`${flag} takes up to its limit and not one more`, () => {
    const parsed = (value: string) => program().commands[0]!.parseOptions([flag, value]);
    assert.doesNotThrow(() => parsed(String(max)));
    for (const value of [String(max + 1), '0', '-1', 'many', '']) {
      assert.throws(() => parsed(value), { code: 'commander.invalidArgument' }, value);
    }
  });
}

for (const [flag, max] of [
  ['--rate', rateMax],
  ['--speed', speedMax],
] as const) {
  test(`${flag} takes any number above nothing up to its limit`, () => {
    const parsed = (value: string) => program().commands[0]!.parseOptions([flag, value]);
    for (const value of ['0.25', '1', String(max)]) assert.doesNotThrow(() => parsed(value), value);
    for (const value of [String(max + 1), '0', '-1', '1e3', '']) {
      assert.throws(() => parsed(value), { code: 'commander.invalidArgument' }, value);
    }
  });
}

test('a fleet has the findings and versions of its own life', async () => {
  for (const more of [['--findings', 'none'], ['--cluster-version', '4.20.1'], ['--remove']])
    await assert.rejects(program().parseAsync(['simulate', '--fleet', ...more], { from: 'user' }), {
      code: 'commander.conflictingOption',
    });
});

test('the help lists every finding that can be asked for', () => {
  let help = '';
  const simulate = program().commands[0]!.configureOutput({ writeOut: (text) => (help += text) });
  simulate.outputHelp();
  for (const finding of SIMULATED_FINDINGS) assert.ok(help.includes(finding), finding);
  for (const finding of PROVISIONAL_FINDINGS)
    assert.ok(help.includes(`  ${finding}  (where provisional rules run)\n`), finding);
  assert.ok(PROVISIONAL_FINDINGS.size > 0 && PROVISIONAL_FINDINGS.size < SIMULATED_FINDINGS.length);
});

test('a finding that no rule reports is refused before anything is uploaded', async () => {
  await assert.rejects(
    program().parseAsync(['simulate', '--findings', 'UNHEARD_OF', '--url', 'http://127.0.0.1:1/'], { from: 'user' }),
    { code: 'SIMULATE_FINDINGS' },
  );
});
