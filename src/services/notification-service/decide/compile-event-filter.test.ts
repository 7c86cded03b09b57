/** The event filter language, outcome by outcome as the reference's evaluator gives them (notification-service.md 7.1). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { CcxError } from '../../../encoding/ccx-error.ts';
import { compileEventFilter, type FilterValues } from './compile-event-filter.ts';

const values: FilterValues = {
  likelihood: 4,
  impact: 2,
  totalRisk: 3,
  severity: 0,
  likelihoodThreshold: 1,
  impactThreshold: 1,
  severityThreshold: 0,
  totalRiskThreshold: 2,
};

const compile = (text: string) => compileEventFilter(text, 'kafka_broker.event_filter');

/** The value itself is not visible, so it is found by comparing; parentheses keep the expression together. */
function hasValue(expression: string, expected: bigint): boolean | undefined {
  const wanted = expected < 0n ? `(0 - ${-expected})` : String(expected);
  return compile(`(${expression}) == ${wanted}`).passes(values);
}

test('arithmetic, comparison and logic follow the reference', () => {
  const table: [string, bigint][] = [
    ['1 - 2 - 3', -4n],
    ['0-7/2', -3n],
    ['3>2>1', 0n],
    ['1 || 0 && 0', 1n],
    ['7%3', 1n],
    ['(0-7)%3', -1n],
    ['2+3*4', 14n],
    ['2*(3+4)', 14n],
    ['totalRisk', 3n],
    ['likelihood*10+impact', 42n],
    ['severity', 0n],
    ['5 && 0', 0n],
    ['5 && 2', 1n],
    ['0x10', 0n],
    ['0b11', 0n],
    ['0o17', 0n],
    ['1_000', 0n],
    ['010', 10n],
    ['08', 8n],
    ['99999999999999999999', 9223372036854775807n],
    ['9223372036854775807 + 1 + 9223372036854775807', -1n],
    ['1 /* c */ + 2', 3n],
    ['1 2 +', 3n],
  ];
  for (const [expression, expected] of table) assert.equal(hasValue(expression, expected), true, expression);
  assert.equal(compile('1 + // c\n 2 == 3').passes(values), true);
});

test('an empty expression compares the total risk with its threshold', () => {
  const filter = compile('');
  assert.equal(filter.passes(values), true);
  assert.equal(filter.passes({ ...values, totalRisk: 2 }), true);
  assert.equal(filter.passes({ ...values, totalRisk: 1 }), false);
});

test('service Q6: an expression without exactly one value is refused when it is compiled', () => {
  const refused: [string, RegExp][] = [
    [' ', /no value/],
    ['1.5', /no value/],
    ['.5', /no value/],
    ['1e3', /no value/],
    ['0x1p4', /no value/],
    ['1i', /no value/],
    ['"abc"', /no value/],
    ["'a'", /no value/],
    ['`a`', /no value/],
    ['()', /no value/],
    ['-2', /operand missing/],
    ['2+', /operand missing/],
    ['*1', /operand missing/],
    ['1 <> 2', /operand missing/],
    ['totalRisk >=', /operand missing/],
    ['0=0', /more than one value/],
    ['1 & 2', /more than one value/],
    ['1,2', /more than one value/],
    ['1 ; 2', /more than one value/],
    ['1\n2', /more than one value/],
    ['totalRisk ? 1 : 0', /more than one value/],
    ['1 <- 2', /more than one value/],
    ['1 << 2', /more than one value/],
    ['(1', /not closed/],
    ['((1)', /not closed/],
    ['1)', /no opening/],
    [')', /no opening/],
    ['true', /unknown identifier true/],
    ['and', /unknown identifier and/],
    ['TotalRisk', /unknown identifier TotalRisk/],
    ['constructor', /unknown identifier constructor/],
  ];
  for (const [expression, message] of refused) {
    assert.throws(
      () => compile(expression),
      { code: 'EVENT_FILTER_INVALID', category: 'configuration', message, hint: /kafka_broker\.event_filter/ },
      expression,
    );
  }
});

test('tokens outside the language are left out and told', () => {
  const table: [string, bigint, string[]][] = [
    ['!totalRisk', 3n, ['!']],
    ['$totalRisk', 3n, ['$']],
    ['^1', 1n, ['^']],
    ['1++', 1n, ['++']],
    ['if 1', 1n, ['if']],
    ['1;', 1n, [';']],
    ['1 "x\\"y"', 1n, ['"x\\"y"']],
    ['1 😀', 1n, ['😀']],
  ];
  for (const [expression, expected, dropped] of table) {
    assert.deepEqual(compile(expression).dropped, dropped, expression);
    assert.equal(hasValue(expression, expected), true, expression);
  }
});

test('a division by zero has no answer', () => {
  assert.equal(compile('1 / severity').passes(values), undefined);
  assert.equal(compile('1 % severity').passes(values), undefined);
});

test('any text either compiles or is refused with the one code, and always ends', () => {
  const piece = fc.constantFrom(
    '(',
    ')',
    '+',
    '-',
    '*',
    '/',
    '&&',
    '||',
    '<',
    '=',
    '!',
    '1',
    '0x',
    '1.',
    'totalRisk',
    '"',
    '/*',
    '//',
    ' ',
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.array(piece).map((pieces) => pieces.join('')),
        fc.string(),
      ),
      (text) => {
        try {
          compile(text).passes(values);
        } catch (error) {
          assert.equal((error as CcxError).code, 'EVENT_FILTER_INVALID');
        }
      },
    ),
  );
});
