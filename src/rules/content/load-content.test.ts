/** How a content folder is read: what is inherited, what makes a rule invalid, what an invalid rule costs. Source: data-pipeline.md 8.1, 8.3. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { cp, mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { temporaryFolder } from '../../../test/support/temporary-folder.ts';
import { CcxError } from '../../encoding/ccx-error.ts';
import { CATALOG_CONTENT_ROOT } from '../catalog/content-root.ts';
import { faultText } from './content-faults.ts';
import { contentDepthMax, loadContent } from './load-content.ts';

/** A content root with these files. */
async function contentRoot(files: Readonly<Record<string, string>>): Promise<string> {
  const root = temporaryFolder();
  for (const [path, text] of Object.entries({ 'config.yaml': config, ...files })) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), text);
  }
  return root;
}

const config = 'impact:\n  Data Loss: 4\n  null: 1\nresolution_risk:\n  OCP Upgrade: 2\n';
const plugin = 'name: Some rule\nnode_id:\nproduct_code: OCP4\npython_module: family.some_rule\n';
const metadata = `description: It is {{=pydata.so}}
impact: Data Loss
likelihood: 3
publish_date: 2026-11-21 16:00:00
resolution_risk: OCP Upgrade
status: active
tags: [openshift, networking]
`;

/** A well-formed rule in a folder; files given replace or add to it. */
function rule(folder: string, files: Readonly<Record<string, string>> = {}): Record<string, string> {
  const all = {
    'plugin.yaml': plugin,
    'reason.md': 'rule reason',
    'generic.md': 'rule generic',
    'KEY/metadata.yaml': metadata,
    ...files,
  };
  return Object.fromEntries(Object.entries(all).map(([path, text]) => [`${folder}/${path}`, text]));
}

test('a rule is read with its metadata, its numbers and its texts', async () => {
  const files = rule('external/rules/some_rule', { 'KEY/reason.md': 'own reason', 'more_info.md': 'more' });
  const { directory, status } = await loadContent(await contentRoot(files));
  assert.deepEqual(directory.config, { impact: { 'Data Loss': 4, '': 1 }, resolution_risk: { 'OCP Upgrade': 2 } });
  assert.deepEqual(status, { some_rule: { type: 'external', loaded: true, error: '' } });
  const loaded = directory.rules['some_rule'];
  assert.deepEqual(loaded?.plugin, {
    name: 'Some rule',
    node_id: '',
    product_code: 'OCP4',
    python_module: 'family.some_rule',
  });
  assert.deepEqual(loaded?.error_keys['KEY'], {
    metadata: {
      description: 'It is {{=pydata.so}}',
      impact: { name: 'Data Loss', impact: 4 },
      likelihood: 3,
      publish_date: '2026-11-21 16:00:00',
      resolution_risk: 2,
      status: 'active',
      tags: ['openshift', 'networking'],
    },
    total_risk: 0,
    generic: 'rule generic',
    summary: '',
    resolution: '',
    more_info: 'more',
    reason: 'own reason',
    HasReason: true,
  });
});

test('rules are found at any depth below external and internal, and nowhere else', async () => {
  const root = await contentRoot({
    ...rule('external/rules/deep/er/one'),
    ...rule('internal/two'),
    ...rule('ocs/three'),
    ...rule('four'),
  });
  const { directory, status } = await loadContent(root);
  assert.deepEqual(Object.keys(directory.rules), ['one', 'two']);
  assert.equal(status['two']?.type, 'internal');
});

test('unknown names count as zero, and a missing impact has the number of the empty name', async () => {
  const files = rule('external/some_rule', {
    'KEY/metadata.yaml': 'description: d\nimpact: Unheard Of\nresolution_risk: toString\nlikelihood: 1\n',
    'OTHER/metadata.yaml': 'description: d\nimpact:\nlikelihood: 1\n',
  });
  const keys = (await loadContent(await contentRoot(files))).directory.rules['some_rule']?.error_keys;
  assert.deepEqual(keys?.['KEY']?.metadata.impact, { name: 'Unheard Of', impact: 0 });
  assert.equal(keys?.['KEY']?.metadata.resolution_risk, 0);
  assert.deepEqual(keys?.['OTHER']?.metadata.impact, { name: '', impact: 1 });
});

const invalid: readonly (readonly [title: string, files: Record<string, string>, error: RegExp])[] = [
  ['no metadata', { 'NEW/reason.md': 'r' }, /Missing required file: metadata.yaml/],
  ['no reason', { 'reason.md': '' }, /^some of the error keys are missing mandatory attributes$/],
  ['no generic text', { 'generic.md': '' }, /^some of the error keys are missing mandatory attributes$/],
  ['metadata that is no YAML', { 'KEY/metadata.yaml': 'tags: [unclosed' }, /./],
  ['metadata that is no mapping', { 'KEY/metadata.yaml': '- a\n' }, /KEY\/metadata\.yaml:1: does not hold a mapping/],
  [
    'a likelihood that is no number',
    { 'KEY/metadata.yaml': 'likelihood: high\n' },
    /likelihood must be a whole number/,
  ],
  ['tags that are no list', { 'KEY/metadata.yaml': 'tags: openshift\n' }, /tags must be a list/],
  ['plugin.yaml that is no mapping', { 'plugin.yaml': 'text' }, /plugin\.yaml:1: does not hold a mapping/],
];

for (const [title, files, error] of invalid) {
  test(`a rule with ${title} is listed as invalid and costs no other rule`, async () => {
    const root = await contentRoot({ ...rule('external/bad', files), ...rule('external/good') });
    const { directory, status } = await loadContent(root);
    assert.deepEqual(Object.keys(directory.rules), ['good']);
    assert.equal(status['bad']?.loaded, false);
    assert.match(status['bad']?.error ?? '', error);
  });
}

const mistakes: readonly (readonly [title: string, files: Record<string, string>, faults: readonly string[]])[] = [
  [
    'several in one file',
    { 'KEY/metadata.yaml': 'description: [a]\nimpact: Data Los\n\nlikelihood: high\ntags: openshift\n' },
    [
      'KEY/metadata.yaml:1: description must be a text',
      'KEY/metadata.yaml:2: impact: config.yaml knows no "Data Los"; it counts as 0',
      'KEY/metadata.yaml:4: likelihood must be a whole number',
      'KEY/metadata.yaml:5: tags must be a list',
    ],
  ],
  [
    'YAML that ends too early',
    { 'KEY/metadata.yaml': 'status: active\ntags: [unclosed\n' },
    ['KEY/metadata.yaml:3: not YAML: Flow sequence in block collection must be sufficiently indented and end with a ]'],
  ],
  [
    'a name that is there twice',
    { 'plugin.yaml': 'name: a\npython_module: family.some_rule\nname: b\n' },
    ['plugin.yaml:3: not YAML: Map keys must be unique'],
  ],
  [
    'an alias of nothing',
    { 'plugin.yaml': 'name: *other\n' },
    ['plugin.yaml: not YAML: Unresolved alias (the anchor must be set before the alias): other'],
  ],
  [
    'a folder that is not named for its module',
    { 'plugin.yaml': 'name: a\npython_module: family.other_rule\n' },
    ['plugin.yaml:2: family.other_rule is looked for in a folder named other_rule'],
  ],
  [
    'no way out for its owners',
    { 'resolution.md': '' },
    ['KEY/resolution.md: a rule for owners should say how it is resolved, here or in the folder of the rule'],
  ],
  [
    'a condition that does not end',
    { 'reason.md': 'Nodes\n{{?pydata.a}}\nare bad' },
    ['reason.md:2: {{? … }} has no {{?}}'],
  ],
  [
    'a template where none is filled in',
    { 'generic.md': 'a\n\n{{=pydata.a}}' },
    ['generic.md:3: no template is filled in here: it is shown as it is'],
  ],
  [
    'a description that is no template',
    { 'KEY/metadata.yaml': 'likelihood: 1\ndescription: It is {{=pydata.}}\n' },
    ["KEY/metadata.yaml:2: {{=pydata. is no expression: Unexpected token ')'"],
  ],
  [
    'a text that is a folder',
    { 'more_info.md/KEY.md': '' },
    [
      'more_info.md: cannot be read: EISDIR: illegal operation on a directory, read',
      'more_info.md/metadata.yaml: Missing required file: metadata.yaml',
    ],
  ],
];

for (const [title, files, expected] of mistakes) {
  test(`a mistake is told with its file and line: ${title}`, async () => {
    const complete = rule('external/some_rule', { 'resolution.md': 'do it', ...files });
    const { faults } = await loadContent(await contentRoot(complete));
    assert.deepEqual(
      faults.map(faultText),
      expected.map((text) => `external/some_rule/${text}`),
    );
  });
}

test('mistakes of the folder as a whole are told: rules where nobody looks, names that are there twice, numbers that are none', async () => {
  const root = await contentRoot({
    ...rule('external/a/same', { 'resolution.md': 'r' }),
    ...rule('internal/same'),
    ...rule('some_rule'),
    ...rule('ocs/some_rule'),
    'config.yaml': 'impact:\n  Data Loss: 4\n  Hung Task: much\n',
  });
  const { faults, directory } = await loadContent(root);
  assert.deepEqual(
    faults.map(faultText).filter((text) => !text.includes('OCP Upgrade')),
    [
      'config.yaml:3: impact: "Hung Task" must have a number',
      'config.yaml: resolution_risk must be a table of names and numbers',
      'some_rule/plugin.yaml: a rule must lie below external or internal; it is not loaded',
      'external/a/same/plugin.yaml:4: family.some_rule is looked for in a folder named some_rule',
      'internal/same: replaces another rule folder named same',
      'internal/same/plugin.yaml:4: family.some_rule is looked for in a folder named some_rule',
    ],
  );
  assert.deepEqual(Object.keys(directory.rules), ['same']);
});

test('the content that comes with this program is without a fault', async () => {
  assert.deepEqual((await loadContent(CATALOG_CONTENT_ROOT)).faults, []);
});

const genuine = new URL('../../../../shared/data/content/tutorial', import.meta.url);

test('a rule of the hosted content is read as it is, and where it lies in the wrong folder that is said', {
  skip: existsSync(genuine) ? false : 'the folder of real inputs is not beside the repository',
}, async () => {
  const misplaced = await loadContent(fileURLToPath(genuine));
  assert.deepEqual(misplaced.faults.map(faultText), [
    'tutorial_rule/plugin.yaml: a rule must lie below external or internal; it is not loaded',
  ]);
  const root = temporaryFolder();
  await cp(new URL('tutorial/config.yaml', genuine), join(root, 'config.yaml'));
  await cp(new URL('tutorial/tutorial_rule', genuine), join(root, 'external/tutorial_rule'), { recursive: true });
  // Its reason is empty, so that the reference leaves it out, too.
  const key = 'external/tutorial_rule/TUTORIAL_ERROR';
  assert.deepEqual((await loadContent(root)).faults.map(faultText), [
    `${key}/reason.md: some of the error keys are missing mandatory attributes: neither here nor in the rule's folder`,
    `${key}/resolution.md: a rule for owners should say how it is resolved, here or in the folder of the rule`,
  ]);
  for (const name of ['reason', 'resolution']) await writeFile(join(root, key, `${name}.md`), 'so');
  const { directory, faults } = await loadContent(root);
  assert.deepEqual(faults, []);
  const tutorial = directory.rules['tutorial_rule'];
  assert.equal(tutorial?.plugin.python_module, 'ccx_rules_ocm.tutorial_rule');
  assert.deepEqual(tutorial?.error_keys['TUTORIAL_ERROR']?.metadata.impact, { name: '', impact: 1 });
});

test('folders are searched to the limit and not one deeper', async () => {
  const at = (depth: number) => `external/${Array.from({ length: depth }, (_, level) => `d${level}`).join('/')}`;
  const root = await contentRoot({
    ...rule(`${at(contentDepthMax)}/found`),
    ...rule(`${at(contentDepthMax + 1)}/lost`),
  });
  assert.deepEqual(Object.keys((await loadContent(root)).directory.rules), ['found']);
});

test('a root without config.yaml is refused with what to do about it', async () => {
  await assert.rejects(
    loadContent('/nowhere/at/all'),
    (error: unknown) => error instanceof CcxError && error.code === 'CONTENT_UNREADABLE' && error.hint !== undefined,
  );
});
