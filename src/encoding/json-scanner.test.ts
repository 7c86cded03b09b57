/** The scanner against JSON.parse as a model: it accepts and refuses the same texts and finds the same values. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { spelledJson } from '../../test/support/spelled-json.ts';
import { JsonScanner, JsonSyntaxError, jsonDepthMax, writeCanonical } from './json-scanner.ts';

/** The whole text is one value, or the error's message. */
function accepts(text: string | Buffer): boolean {
  const bytes = Buffer.from(text as string);
  const scanner = new JsonScanner(bytes);
  try {
    const end = scanner.skipSpace(scanner.skipValue(scanner.skipSpace(0), 0));
    return end === bytes.length;
  } catch (error) {
    assert.ok(error instanceof JsonSyntaxError);
    return false;
  }
}

function modelAccepts(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function canonical(text: Buffer): Buffer {
  const scanner = new JsonScanner(text);
  const start = scanner.skipSpace(0);
  const before = scanner.whitespaceBytes;
  const end = scanner.skipValue(start, 0);
  const expectedBytes = end - start - (scanner.whitespaceBytes - before) + scanner.escapeGrowthBytes;
  const target = Buffer.alloc(expectedBytes + 1);
  assert.equal(writeCanonical(text, { start, end }, target, 0), expectedBytes, 'the length was told beforehand');
  return target.subarray(0, expectedBytes);
}

const spelled = spelledJson();

test('every legal spelling is accepted', () => {
  fc.assert(
    fc.property(spelled, (text) => accepts(text)),
    { numRuns: 500 },
  );
});

test('a text with one character changed, lost or doubled is judged as JSON.parse judges it', () => {
  const damage = fc.record({
    at: fc.nat(),
    kind: fc.constantFrom('change', 'lose', 'double'),
    character: fc.constantFrom(
      '"',
      '\\',
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      '0',
      '-',
      '.',
      'e',
      'x',
      ' ',
      '\u0000',
      '\n',
      '\ufeff',
    ),
  });
  fc.assert(
    fc.property(spelled, damage, (text, { at, kind, character }) => {
      const position = at % (text.length + 1);
      const rest = kind === 'double' ? position : position + 1;
      const damaged = text.slice(0, position) + (kind === 'lose' ? '' : character) + text.slice(rest);
      // A damaged surrogate pair is no UTF-8 text; the byte order mark at the front is dropped by no reader of ours.
      assert.equal(accepts(damaged), modelAccepts(damaged.toWellFormed()), JSON.stringify(damaged));
    }),
    { numRuns: 2000 },
  );
});

test('any bytes at all are accepted or refused, never anything else', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      accepts(Buffer.from(bytes));
    }),
    { numRuns: 2000 },
  );
});

test('canonical text means the same, has no whitespace outside strings and none of the escaped characters', () => {
  fc.assert(
    fc.property(spelled, (text) => {
      const written = canonical(Buffer.from(text)).toString('utf8');
      assert.deepEqual(JSON.parse(written), JSON.parse(text));
      assert.doesNotMatch(written, /[<>&\u2028\u2029]/);
      assert.doesNotMatch(written.replace(/"(\\.|[^"\\])*"/g, '""'), /\s/);
      assert.equal(canonical(Buffer.from(written)).toString('utf8'), written, 'it is canonical already');
    }),
    { numRuns: 500 },
  );
});

test('what is not whitespace and not escaped stays byte for byte, invalid UTF-8 included', () => {
  const text = Buffer.concat([
    Buffer.from('{ "k" : [ 1.0e+5 , "\\u003C\\/ '),
    Buffer.from([0xff, 0xe2, 0x80]),
    Buffer.from('" ] }'),
  ]);
  const want = Buffer.concat([
    Buffer.from('{"k":[1.0e+5,"\\u003C\\/ '),
    Buffer.from([0xff, 0xe2, 0x80]),
    Buffer.from('"]}'),
  ]);
  assert.deepEqual(canonical(text), want);
});

test('nesting to the limit is accepted and one level more is refused', () => {
  const nested = (levels: number) => '['.repeat(levels) + ']'.repeat(levels);
  assert.equal(accepts(nested(jsonDepthMax)), true);
  assert.equal(accepts(nested(jsonDepthMax + 1)), false);
  const scanner = new JsonScanner(Buffer.from(nested(jsonDepthMax - 1)));
  assert.throws(() => scanner.skipValue(0, 2), /exceeded max depth/);
});

test('a byte order mark, a NUL behind the value and an empty text are not JSON', () => {
  for (const text of [
    '\ufeff{}',
    '{}\u0000',
    '',
    ' ',
    '{}x',
    '[1,]',
    '{"a":1,}',
    '01',
    '1.',
    '.5',
    '+1',
    "{'a':1}",
    'nul',
    '\u00a01',
  ])
    assert.equal(accepts(text), false, JSON.stringify(text));
});
