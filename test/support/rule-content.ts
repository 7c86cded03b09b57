/** Rule content of any shape, for property tests of its encodings. */
import fc from 'fast-check';
import type { ErrorKeyContent, RuleContent, RuleContentDirectory } from '../../src/contracts/rule-content.ts';

/** Also what escapes and lengths could break on: NUL, quotes, characters of one to four bytes. */
export const anyText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 12 }),
  fc.constantFrom('', 'ž', '😀', '"\\', '\0', '<b>&\u2028', '{{=pydata.node}}', 'x'.repeat(200)),
);

const anyNumber = fc.oneof(fc.integer({ min: 0, max: 4 }), fc.integer());
const numbersByName = fc.dictionary(anyText, anyNumber, { maxKeys: 4 });

const texts = {
  generic: anyText,
  summary: anyText,
  resolution: anyText,
  more_info: anyText,
  reason: anyText,
  HasReason: fc.boolean(),
};

const anyErrorKey: fc.Arbitrary<ErrorKeyContent> = fc.record({
  metadata: fc.record({
    description: anyText,
    impact: fc.record({ name: anyText, impact: anyNumber }),
    likelihood: anyNumber,
    publish_date: anyText,
    resolution_risk: anyNumber,
    status: anyText,
    tags: fc.array(anyText, { maxLength: 3 }),
  }),
  total_risk: anyNumber,
  ...texts,
});

const anyRule: fc.Arbitrary<RuleContent> = fc.record({
  plugin: fc.record({ name: anyText, node_id: anyText, product_code: anyText, python_module: anyText }),
  error_keys: fc.dictionary(anyText, anyErrorKey, { maxKeys: 3 }),
  ...texts,
});

/** Without prototypes, as `JSON.parse` would have it, so that `__proto__` is a name like any other. */
export const anyRuleContent: fc.Arbitrary<RuleContentDirectory> = fc.record({
  config: fc.record({ impact: numbersByName, resolution_risk: numbersByName }),
  rules: fc.dictionary(anyText, anyRule, { maxKeys: 3 }),
});
