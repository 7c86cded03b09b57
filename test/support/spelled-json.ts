/** JSON text with odd but legal spellings, for tests of what reads it: whitespace anywhere, escapes where none are needed, numbers in every form. */
import fc from 'fast-check';

export const jsonSpace = fc
  .array(fc.constantFrom(' ', '\n', '\t', '\r'), { maxLength: 3 })
  .map((parts) => parts.join(''));

const plainCharacters = [
  'a',
  '<',
  '>',
  '&',
  '\u2028',
  '\u2029',
  '\u20ac',
  '\u{1f600}',
  '{',
  '}',
  '[',
  ']',
  ',',
  ':',
  ' ',
];
const escapes = ['\\"', '\\\\', '\\/', '\\b', '\\f', '\\n', '\\r', '\\t', '\\u003c', '\\uD83D', '\\u0000', '\\u2028'];

/** A string of these characters and escapes, with its quotes. */
export function spelledString(
  characters: fc.Arbitrary<string> = fc.oneof(fc.constantFrom(...plainCharacters), fc.constantFrom(...escapes)),
): fc.Arbitrary<string> {
  return fc.array(characters, { maxLength: 6 }).map((parts) => `"${parts.join('')}"`);
}

const number = fc
  .tuple(
    fc.constantFrom('', '-'),
    fc.constantFrom('0', '1', '10', '12345678901234567890'),
    fc.constantFrom('', '.0', '.250'),
    fc.constantFrom('', 'e5', 'E+5', 'e-05', 'E400'),
  )
  .map((parts) => parts.join(''));

export function spaced(inner: fc.Arbitrary<string>): fc.Arbitrary<string> {
  return fc.tuple(jsonSpace, inner, jsonSpace).map((parts) => parts.join(''));
}

/** A value of any kind with strings of this kind in it. */
export function spelledJson(text: fc.Arbitrary<string> = spelledString(), maxDepth = 4): fc.Arbitrary<string> {
  return fc.letrec<{ value: string }>((tie) => ({
    value: fc.oneof(
      { maxDepth, withCrossShrink: true },
      fc.constantFrom('true', 'false', 'null'),
      number,
      text,
      fc.array(spaced(tie('value')), { maxLength: 4 }).map((items) => `[${items.join(',')}]`),
      fc
        .array(
          fc.tuple(spaced(text), spaced(tie('value'))).map(([key, value]) => `${key}:${value}`),
          { maxLength: 4 },
        )
        .map((members) => `{${members.join(',')}}`),
      jsonSpace.map((inner) => `[${inner}]`),
      jsonSpace.map((inner) => `{${inner}}`),
    ),
  })).value;
}
