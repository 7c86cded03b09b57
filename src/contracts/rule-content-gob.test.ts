/** Rule content through gob: the answer of a real content service, our own encoding, and answers of another shape. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { anyRuleContent } from '../../test/support/rule-content.ts';
import { testSeed } from '../../test/support/test-seed.ts';
import { decodeGob } from '../encoding/gob/decode-gob.ts';
import { encodeGob } from '../encoding/gob/encode-gob.ts';
import type { RuleContentDirectory } from './rule-content.ts';
import { decodeRuleContent, encodeRuleContent } from './rule-content-gob.ts';

const realAnswer = new URL('../../../shared/data/content/content-service-response.gob', import.meta.url);

test('the answer of a real content service is read to the last byte', {
  skip: existsSync(realAnswer) ? false : 'the folder of real inputs is not beside the repository',
}, () => {
  const directory = decodeRuleContent(readFileSync(realAnswer));
  assert.equal(directory.config.impact['Data Loss'], 4);
  assert.equal(directory.config.impact[''], 1);
  assert.deepEqual(directory.config.resolution_risk, {});
  const rule = directory.rules['test_rule'];
  assert.equal(rule?.plugin.python_module, 'ccx_rules_ocm.test_rule');
  assert.deepEqual(Object.keys(rule?.error_keys ?? {}).sort(), [
    'TEST_RULE_CRITICAL_IMPACT',
    'TEST_RULE_IMPORTANT_IMPACT',
    'TEST_RULE_LOW_IMPACT',
    'TEST_RULE_MODERATE_IMPACT',
  ]);
  const critical = rule?.error_keys['TEST_RULE_CRITICAL_IMPACT']?.metadata;
  assert.equal(critical?.likelihood, 4);
  assert.deepEqual(critical?.impact, { name: 'Data Loss', impact: 4 });
  assert.deepEqual(critical?.tags, ['openshift', 'service_availability']);
  assert.deepEqual(decodeRuleContent(encodeRuleContent(directory)), directory);
});

const texts = { generic: 'g', summary: '', resolution: 'r {{=pydata.a}}', more_info: 'ž', reason: '', HasReason: true };
const directory: RuleContentDirectory = {
  config: { impact: { 'Data Loss': 4, '': 1, None: 0 }, resolution_risk: { 'No Change': 1 } },
  rules: {
    some_rule: {
      plugin: { name: 'Some rule', node_id: '', product_code: 'OCP4', python_module: 'a.b.some_rule' },
      error_keys: {
        KEY: {
          metadata: {
            description: 'It is so',
            impact: { name: 'Data Loss', impact: 4 },
            likelihood: 3,
            publish_date: '2026-11-21 16:00:00',
            resolution_risk: 1,
            status: 'active',
            tags: ['openshift'],
          },
          total_risk: 0,
          ...texts,
        },
      },
      ...texts,
    },
    // A rule without content still has every member.
    empty_rule: {
      plugin: { name: '', node_id: '', product_code: '', python_module: '' },
      error_keys: {},
      ...{ generic: '', summary: '', resolution: '', more_info: '', reason: '', HasReason: false },
    },
  },
};

test('content is the same after encoding and decoding', () => {
  assert.deepEqual(decodeRuleContent(encodeRuleContent(directory)), directory);
});

const seed = testSeed();

test(`any content is the same after encoding and decoding, and any stream of it after decoding and encoding (seed ${seed})`, () => {
  fc.assert(
    fc.property(anyRuleContent, (content) => {
      const stream = encodeRuleContent(content);
      const decoded = decodeRuleContent(stream);
      assert.deepEqual(sorted(decoded), sorted(content));
      assert.deepEqual(encodeRuleContent(decoded), stream);
      // One value, and no byte behind it: the decoder reads on until the stream's end.
      assert.equal(decodeGob(stream).length, 1);
    }),
    { seed, numRuns: 200 },
  );
});

/** Without prototypes and with names in order, which JSON's objects need not keep. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.entries(value)
    .map(([name, member]) => [name, sorted(member)])
    .sort(([a], [b]) => (String(a) < String(b) ? -1 : 1));
}

test('fields that the stream does not have are zero, fields that it has more are ignored', () => {
  const type = {
    kind: 'struct',
    name: 'Newer',
    fields: [{ name: 'Invented', type: { kind: 'string' } }],
  } as const;
  assert.deepEqual(decodeRuleContent(encodeGob(type, { Invented: 'x' })), {
    config: { impact: {}, resolution_risk: {} },
    rules: {},
  });
});

test('an answer that is something else is refused', () => {
  const isGobInvalid = { code: 'GOB_INVALID' };
  const rulesAsText = { kind: 'struct', name: 'T', fields: [{ name: 'Rules', type: { kind: 'string' } }] } as const;
  for (const bytes of [
    Buffer.from(''),
    Buffer.from('404 page not found'),
    Buffer.from('{"rules":{}}'),
    encodeGob({ kind: 'string' }, 'rules'),
    encodeGob(rulesAsText, { Rules: 'none' }),
  ]) {
    assert.throws(() => decodeRuleContent(bytes), isGobInvalid);
  }
});
