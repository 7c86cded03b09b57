/** The tools for rules of one's own, as a person and as a script use them: from a new rule to what it says of an archive. */
import assert from 'node:assert/strict';
import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { runCcx } from '../../../test/support/ccx-process.ts';
import { temporaryFolder } from '../../../test/support/temporary-folder.ts';
import { packArchive } from '../../platform/archive/pack-archive.ts';
import { healthyCluster } from '../../rules/catalog/healthy-cluster.ts';
import { toArchiveFiles } from '../../rules/catalog/sample.ts';

const at = '2026-06-30T10:00:00Z';

function archiveOf(changes: Readonly<Record<string, unknown>>): string {
  const clusterId = '4cb93af2-29a5-4594-a789-88addee791d1';
  const files = { ...healthyCluster({ clusterId, now: new Date(at) }), ...changes };
  const path = join(temporaryFolder(), 'archive.tar.gz');
  const entries = [...toArchiveFiles(files as never)].map(([name, body]) => ({ path: name, body }));
  writeFileSync(path, packArchive(entries));
  return path;
}

const rules = (...args: readonly string[]) => runCcx(['rules', ...args]);

test('a new rule passes its samples, is listed and shown, and is told of an archive with exit codes for scripts', async () => {
  const folder = join(temporaryFolder(), 'my-rules');
  const made = await rules('new', folder, 'NODE_FORGOTTEN');
  assert.equal(made.code, 0, made.stderr);
  const file = join(folder, 'rules', 'node_forgotten.yaml');
  assert.match(made.stdout, /^written: .*pack\.yaml\nwritten: .*node_forgotten\.yaml\n/);
  const again = await rules('new', folder, 'NODE_FORGOTTEN');
  assert.match(`${again.code} ${again.stderr}`, /^1 .*there is a file already.*\[RULE_EXISTS\]/s);

  const tested = await rules('test', folder);
  assert.equal(tested.code, 0, tested.stdout);
  assert.match(
    tested.stdout,
    /^ok {5}NODE_FORGOTTEN {2}fires\n {7}This node takes no new pods: `a`\.\n.*\nok: 2 samples, 0 wrong\n$/,
  );

  const listed = await rules('list', '--pack', folder);
  assert.match(
    listed.stdout,
    /^on {3}public {4}ccx_packs\.my_rules\.NODE_FORGOTTEN {2}\(pack my_rules\)\n {5}NODE_FORGOTTEN {2}2 moderate$/m,
  );
  const shown = JSON.parse((await rules('show', 'NODE_FORGOTTEN', '--pack', folder, '--json')).stdout);
  assert.deepEqual([shown.source, shown.file, shown.inputs[0].pattern], ['my_rules', file, 'config/node/*.json']);

  const cordoned = archiveOf({ 'config/node/x.json': { metadata: { name: 'x' }, spec: { unschedulable: true } } });
  const fires = await rules('check', cordoned, '--pack', folder, '--at', at, '--json');
  assert.equal(fires.code, 1, fires.stderr);
  const checked = JSON.parse(fires.stdout);
  const hit = checked.fires.find(({ key }: { key: string }) => key === 'NODE_FORGOTTEN');
  assert.deepEqual(hit.details.names, ['x']);
  assert.ok(hit.ms >= 0 && checked.skipped.length > 0 && checked.silent.length > 0);

  const silent = await rules('check', archiveOf({}), '--pack', folder, '--at', at);
  assert.match(
    `${silent.code} ${silent.stdout}`,
    /^0 .*silent .* ccx_packs\.my_rules\.NODE_FORGOTTEN\.report\n0 fire, /s,
  );
  const missing = await rules('check', join(folder, 'nowhere.tar.gz'), '--pack', folder);
  assert.match(`${missing.code} ${missing.stderr}`, /^2 .*\[ARCHIVE_UNREADABLE\]/);

  const explained = await rules('explain', 'NODE_FORGOTTEN', cordoned, '--pack', folder, '--at', at);
  assert.match(
    explained.stdout,
    /^NODE_FORGOTTEN: it fires, with \{"names":\["x"\]\}\n {2}input nodes {2}config\/node\/\*\.json: \d+ found\n/,
  );
});

test('faults and samples that do otherwise are told with their place, and end the test with 1', async () => {
  const folder = join(temporaryFolder(), 'broken');
  await rules('new', folder, 'NODE_FORGOTTEN');
  const file = join(folder, 'rules', 'node_forgotten.yaml');
  const right = readFileSync(file, 'utf8');
  writeFileSync(file, right.replace('spec: {} }', 'spec: { unschedulable: true } }'));
  const wrong = await rules('test', folder);
  assert.match(
    `${wrong.code} ${wrong.stdout}`,
    /^1 .*WRONG {2}NODE_FORGOTTEN {2}silent\n.*node_forgotten\.yaml:\d+: it fires, with .*not ok: 2 samples, 1 wrong\n$/s,
  );

  writeFileSync(file, right);
  appendFileSync(file, 'sample: {}\n');
  const faulty = await rules('test', folder, '--json');
  const { ok, faults } = JSON.parse(faulty.stdout);
  assert.deepEqual([faulty.code, ok, faults.length, faults[0].remedy], [1, false, 1, 'Write "samples"']);
  const used = await rules('list', '--pack', folder);
  assert.match(
    `${used.code} ${used.stderr}`,
    /^1 .*node_forgotten\.yaml:\d+:1: a rule has no member "sample"\. Write "samples"\..*\[RULE_PACK_INVALID\]/s,
  );
});

test('a folder that takes no rule is told in a line, and nothing is left behind', async () => {
  const folder = temporaryFolder();
  const file = join(folder, 'file');
  writeFileSync(file, '');
  mkdirSync(join(folder, 'odd'));
  writeFileSync(join(folder, 'odd', 'rules'), '');
  const astray = [file, join(file, 'below'), join(folder, 'odd'), ...(existsSync('/proc/self') ? ['/proc/x'] : [])];
  for (const made of await Promise.all(astray.map((one) => rules('new', one, 'NODE_FORGOTTEN')))) {
    assert.deepEqual([made.code, made.stdout], [1, '']);
    assert.match(
      made.stderr,
      /^ccx: no rule can be written to .*: E(NOTDIR|NOENT): .* \[RULE_UNWRITABLE\]\n {2}name a folder .*\n$/,
    );
  }
});

test('where 1 is an answer wrong use and failures are 2, told on standard error alone, also with --json', async () => {
  const folder = temporaryFolder();
  const archive = archiveOf({});
  const wrong: readonly (readonly [args: readonly string[], told: RegExp])[] = [
    [['chek', archive], /^error: unknown command 'chek'/],
    [['check'], /^error: missing required argument 'archive'/],
    [['check', archive, '--jsn'], /^error: unknown option '--jsn'/],
    [['check', archive, '--json', '--at', 'noon'], /^ccx: --at is no time: noon \[TIME_INVALID\]\n/],
    [['check', join(folder, 'nowhere'), '--json'], /^ccx: .*\[ARCHIVE_UNREADABLE\]\n/],
    [['check', archive, '--json', '--pack', folder], /^ccx: .*\[RULE_PACK_INVALID\]\n/s],
    [['test'], /^error: missing required argument 'folder'/],
    [['test', folder, '--json', '--at', 'noon'], /^ccx: --at is no time: noon \[TIME_INVALID\]\n/],
  ];
  const ended = await Promise.all(wrong.map(([args]) => rules(...args)));
  for (const [at, [args, told]] of wrong.entries()) {
    const { code, stdout, stderr } = ended[at]!;
    assert.deepEqual([code, stdout], [2, ''], `${args.join(' ')}: ${stderr}`);
    assert.match(stderr, told);
  }
  const help = await rules('check', '--help');
  assert.match(
    `${help.code} ${help.stdout}`,
    /^0 .*2 for wrong use and when it cannot be told\..*on\s+standard output\.\n$/s,
  );
});
