/** How a content folder is read: what is inherited, what makes a rule invalid, what an invalid rule costs. Source: data-pipeline.md 8.1, 8.3. */
import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '../../../test/support/temporary-folder.ts';
import { CcxError } from '../../encoding/ccx-error.ts';
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
  ['no reason', { 'reason.md': '' }, /some of the error keys are missing mandatory attributes/],
  ['no generic text', { 'generic.md': '' }, /some of the error keys are missing mandatory attributes/],
  ['metadata that is no YAML', { 'KEY/metadata.yaml': 'tags: [unclosed' }, /./],
  ['metadata that is no mapping', { 'KEY/metadata.yaml': '- a\n' }, /metadata.yaml does not hold a mapping/],
  [
    'a likelihood that is no number',
    { 'KEY/metadata.yaml': 'likelihood: high\n' },
    /likelihood must be a whole number/,
  ],
  ['tags that are no list', { 'KEY/metadata.yaml': 'tags: openshift\n' }, /tags must be a list/],
  ['plugin.yaml that is no mapping', { 'plugin.yaml': 'text' }, /plugin.yaml does not hold a mapping/],
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
