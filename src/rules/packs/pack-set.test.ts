/** Packs that change while they are in force, and their texts beside the catalogue's. */
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '../../../test/support/temporary-folder.ts';
import { totalRiskOf } from '../../contracts/rule-content.ts';
import { catalogueNames } from '../catalog/catalogue-names.ts';
import { CATALOG_CONTENT_ROOT } from '../catalog/content-root.ts';
import { toArchiveFiles } from '../catalog/sample.ts';
import { createTemplateCompiler } from '../content/compile-template.ts';
import { loadContent } from '../content/load-content.ts';
import { renderReport } from '../content/render-report.ts';
import { createArchiveView } from '../engine/archive-view.ts';
import { catalogueOf } from '../engine/rule.ts';
import { withPackContent } from './pack-content.ts';
import { noPacks, PackStore, readPacks } from './pack-set.ts';
import { PackProgram } from './run-packs.ts';

const names = await catalogueNames();

function write(folder: string, when: string, reason = 'It is so.'): void {
  mkdirSync(join(folder, 'rules'), { recursive: true });
  writeFileSync(join(folder, 'pack.yaml'), 'name: ours\nversion: "1"\nowner: us\n');
  writeFileSync(
    join(folder, 'rules', 'a.yaml'),
    `key: A_RULE\ntitle: It is wrong\nimpact: Data Loss\nlikelihood: 3\ninputs: { a: config/a.json }\nwhen: ${when}\nreason: ${reason}\n`,
  );
}

test('a change is in force when it is looked for; one with a fault leaves what was before, and says why', async () => {
  const folder = temporaryFolder();
  write(folder, 'a.x == 1');
  const store = await PackStore.open([folder], names);
  const first = store.set;
  assert.deepEqual([first.source.rules.length, await store.refresh(), store.set], [1, 'same', first]);

  write(folder, 'a.x == 10');
  assert.equal(await store.refresh(), 'changed');
  assert.notEqual(store.set.source.version, first.source.version);

  write(folder, 'b.x == 100');
  const before = store.set;
  assert.deepEqual([await store.refresh(), store.set], ['broken', before]);
  assert.equal(store.trouble?.code, 'RULE_PACK_INVALID');
  assert.match(store.trouble!.message, /rules\/a\.yaml:6:7: nothing is called "b"\. Write "a"\./);
  assert.equal(await store.refresh(), 'same', 'and is not told again');

  write(folder, 'a.x == 10');
  assert.deepEqual([await store.refresh(), store.trouble], ['changed', undefined]);
  assert.equal(store.set.source.version, before.source.version);
});

test('the start fails over a pack with a fault; without packs there is nothing', async () => {
  const folder = temporaryFolder();
  write(folder, 'a.x = 1');
  await assert.rejects(PackStore.open([folder], names), { code: 'RULE_PACK_INVALID', hint: /rules\.packs/ });
  assert.equal((await PackStore.open([], names)).set, noPacks);
});

test('the texts join the content, and the rules the catalogue, whose version changes with what they do', async () => {
  const folder = temporaryFolder();
  write(folder, 'a.x == 1', '"{{=pydata.max_detail_length_error}}"');
  const { set } = await readPacks([folder], names);
  const { directory } = await loadContent(CATALOG_CONTENT_ROOT);
  assert.equal(withPackContent(directory, []), directory);
  const joined = withPackContent(directory, set.packs);
  assert.equal(Object.keys(joined.rules).length, Object.keys(directory.rules).length + 1);
  assert.equal(totalRiskOf(joined, 'ccx_packs.ours.A_RULE.report', 'A_RULE'), 3);

  const rules = [] as const;
  const { version, rules: modules } = catalogueOf(rules, set.source);
  assert.deepEqual(modules, ['ccx_packs.ours.A_RULE']);
  write(folder, 'a.x == 2');
  const { set: changed } = await readPacks([folder], names);
  assert.notEqual(catalogueOf(rules, changed.source).version, version);
});

const examples = new URL('../../../examples/packs/', import.meta.url).pathname;

test('the example packs are right, every sample does what it says, and what fires can be read', async () => {
  const folders = readdirSync(examples, { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? [join(examples, entry.name)] : [],
  );
  const { set, faults } = await readPacks(folders, names);
  assert.deepEqual(faults, []);
  assert.deepEqual(set.packs.map(({ name }) => name).sort(), ['hygiene', 'maintenance']);
  const content = Object.values(
    withPackContent({ config: { impact: {}, resolution_risk: {} }, rules: {} }, set.packs).rules,
  );
  const compile = createTemplateCompiler();
  const program = new PackProgram(set.source);
  for (const { rule, samples } of set.packs.flatMap(({ rules }) => rules)) {
    assert.deepEqual(
      [...new Set(samples.map(({ fires }) => fires))],
      [true, false],
      `${rule.key} has samples of both kinds`,
    );
    for (const { title, files, fires } of samples) {
      const inputs = program.read(createArchiveView(toArchiveFiles(files)));
      const outcome = program.run(rule, { inputs, gatheredAt: new Date('2026-01-02T00:00:00Z'), isLost: () => false });
      assert.equal(outcome.kind, fires ? 'fires' : 'silent', `${rule.key} ${title}: ${JSON.stringify(outcome)}`);
      if (outcome.kind !== 'fires') continue;
      const details = JSON.stringify(outcome.details);
      const report = { component: `${rule.module}.report`, key: rule.key, details };
      const rendered = renderReport(content, report, compile);
      assert.equal(rendered.kind, 'rendered', rule.key);
      assert.doesNotMatch(JSON.stringify(rendered), /undefined|\[object|\{\{/);
    }
  }
});
