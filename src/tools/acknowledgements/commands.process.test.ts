/** `ccx acks`, as a person and as a script use it: what it prints, its exit codes, and what it says of what nobody can mean. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { runCcx } from '../../../test/support/ccx-process.ts';
import { createTestDatabase, type TestDatabase } from '../../../test/support/postgres.ts';

const cluster = '84ef291d-8f1b-4d28-ab34-cfddff941b84';
const rule = 'ccx_rules_ocp.external.rules.some_rule';

let context: TestDatabase;
before(async () => {
  context = await createTestDatabase({ migrated: true });
});
after(() => context.drop());

const acks = (...args: string[]) => runCcx(['acks', ...args, '--database', context.url]);

test('a rule is disabled, shown and enabled again, and the history stays', async () => {
  assert.match((await acks('list')).stderr, /\[ACK_NO_TABLE\]/);
  const unknown = await acks('add', '--cluster', cluster, '--rule', rule);
  assert.deepEqual([unknown.code, unknown.stdout], [1, '']);
  assert.match(unknown.stderr, /no report of cluster .* is stored.*\[ACK_CLUSTER_UNKNOWN\]\n.*--organization NUMBER/);

  const flags = ['--cluster', cluster.toUpperCase(), '--organization', '7', '--rule', `${rule}.report|KEY`];
  const why = ['--until', '2999-12-24', '--justification', 'is replaced', '--by', 'ada'];
  const added = await acks('add', ...flags, ...why);
  assert.deepEqual([added.code, added.stderr], [0, '']);
  const pattern = `  [0-9a-f-]{36}  cluster ${cluster} of organization 7  ${rule}\\|KEY  until 2999-12-24 00:00:00 UTC  by ada since .* UTC  is replaced\n$`;
  assert.match(added.stdout, new RegExp(`^added${pattern}`));
  assert.match((await acks('add', ...flags, ...why)).stdout, new RegExp(`^unchanged${pattern}`));
  const changed = await acks('add', ...flags, '--until-resolved', '--json');
  const { result, acknowledgement } = JSON.parse(changed.stdout) as {
    result: string;
    acknowledgement: { id: string; until: unknown; untilResolved: boolean; by: string };
  };
  assert.deepEqual(
    [result, acknowledgement.until, acknowledgement.untilResolved, acknowledgement.by],
    ['changed', null, true, 'ada'],
  );

  await acks('add', '--organization', '7', '--rule', rule);
  const listed = (await acks('list', '--cluster', cluster, '--json')).stdout.trim().split('\n');
  assert.deepEqual(
    listed.map((line) => (JSON.parse(line) as { id: string }).id),
    [acknowledgement.id],
  );
  assert.equal((await acks('list')).stdout.trim().split('\n').length, 2);

  const removed = await acks('remove', ...flags, '--reason', 'mended', '--by', 'ben');
  assert.match(removed.stdout, /^removed {2}.* over since .* UTC: removed by ben\n$/);
  const again = await acks('remove', ...flags);
  assert.deepEqual([again.code, again.stdout, again.stderr], [0, '', `${rule}|KEY is not disabled there\n`]);
  assert.match((await acks('remove', acknowledgement.id)).stdout, /^unchanged /);
  const never = await acks('remove', '00000000-0000-4000-8000-000000000000');
  assert.equal(never.code, 2);
  assert.match(never.stderr, /\[ACK_UNKNOWN\]/);
  assert.equal((await acks('list', '--all')).stdout.trim().split('\n').length, 2);
  assert.match(
    (await runCcx(['audit', 'list', '--subject', cluster, '--database', context.url])).stdout,
    /ben .* acks remove/,
  );
});

test('what nobody can mean is refused by name, and nothing is done', async () => {
  for (const [code, ...args] of [
    ['ACK_SCOPE', 'add', '--rule', rule],
    ['ACK_SCOPE', 'add', '--cluster', 'x', '--rule', rule],
    ['ACK_SCOPE', 'add', '--organization', 'x', '--rule', rule],
    ['ACK_RULE', 'add', '--organization', '1'],
    ['ACK_RULE', 'add', '--organization', '1', '--rule', 'some_rule'],
    ['ACK_RULE', 'add', '--organization', '1', '--rule', `${rule}|`],
    ['ACK_UNTIL', 'add', '--organization', '1', '--rule', rule, '--until', '2020-01-01'],
    ['ACK_SCOPE', 'remove'],
    ['ACK_ID', 'remove', 'x'],
    ['ACK_CHOSEN_TWICE', 'remove', '00000000-0000-4000-8000-000000000000', '--rule', rule],
  ] as const) {
    const { code: exitCode, stdout, stderr } = await acks(...args);
    assert.deepEqual([exitCode, stdout], [1, ''], args.join(' '));
    assert.match(stderr, new RegExp(`\\[${code}\\]`), args.join(' '));
  }
});
