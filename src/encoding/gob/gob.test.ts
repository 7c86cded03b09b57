/** The gob encoder and decoder against each other, against the description of the format, and against hostile bytes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { testSeed } from '../../../test/support/test-seed.ts';
import { CcxError } from '../ccx-error.ts';
import { decodeGob, GobReader, gobDepthMax, gobFieldsMax, gobTypesMax, gobValuesMax } from './decode-gob.ts';
import { encodeGob } from './encode-gob.ts';
import type { GobType, GobValue } from './gob-value.ts';

const isGobInvalid = (error: unknown) => error instanceof CcxError && error.code === 'GOB_INVALID';

test('numbers have the bytes that the format describes', () => {
  const body = (type: GobType, value: GobValue) => encodeGob(type, value).subarray(3).toString('hex');
  for (const [value, hex] of [
    [0, '00'],
    [127, '7f'],
    [128, 'ff80'],
    [256, 'fe0100'],
    [2n ** 64n - 1n, 'f8ffffffffffffffff'],
  ] as const) {
    assert.equal(body({ kind: 'uint' }, value), hex, String(value));
  }
  for (const [value, hex] of [
    [0, '00'],
    [-1, '01'],
    [1, '02'],
    [-129, 'fe0101'],
    [-(2n ** 63n), 'f8ffffffffffffffff'],
  ] as const) {
    assert.equal(body({ kind: 'int' }, value), hex, String(value));
  }
  assert.equal(body({ kind: 'float' }, 17), 'fe3140');
  assert.equal(body({ kind: 'bool' }, true), '01');
  assert.equal(body({ kind: 'string' }, 'Ž'), '02c5bd');
});

test('a struct leaves out zero fields, but a map holds zero elements and an empty map is sent', () => {
  const type: GobType = {
    kind: 'struct',
    name: 'T',
    fields: [
      { name: 'A', type: { kind: 'int' } },
      { name: 'B', type: { kind: 'map', key: { kind: 'string' }, value: { kind: 'int' } } },
      { name: 'C', type: { kind: 'slice', element: { kind: 'string' } } },
      { name: 'D', type: { kind: 'map', key: { kind: 'string' }, value: { kind: 'int' } } },
    ],
  };
  const [value] = decodeGob(encodeGob(type, { A: 0, B: new Map([['zero', 0]]), C: [], D: new Map() }));
  assert.deepEqual({ ...(value as object) }, { B: new Map([['zero', 0]]), D: new Map() });
});

test('the encoder refuses a value that is not of the type it was told', () => {
  assert.throws(() => encodeGob({ kind: 'int' }, 'text'), TypeError);
  assert.throws(() => encodeGob({ kind: 'uint' }, -1), TypeError);
  assert.throws(() => encodeGob({ kind: 'int' }, 1.5), TypeError);
});

const scalars = {
  bool: fc.boolean(),
  int: fc.oneof(fc.integer(), fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n).map(narrowed)),
  uint: fc.oneof(fc.nat(), fc.bigInt(0n, 2n ** 64n - 1n).map(narrowed)),
  // Go does not tell minus zero from zero inside a struct, and leaves both out.
  float: fc.double({ noNaN: true }).filter((value) => !Object.is(value, -0)),
  string: fc.string({ unit: 'grapheme' }),
  bytes: fc.uint8Array().map((bytes) => Buffer.from(bytes)),
} as const;

function narrowed(value: bigint): number | bigint {
  return Number.isSafeInteger(Number(value)) ? Number(value) : value;
}

/** A type together with a value of it. */
const typedValue: fc.Arbitrary<readonly [GobType, GobValue]> = fc
  .letrec<{ type: GobType }>((tie) => ({
    type: fc.oneof(
      { maxDepth: 3, withCrossShrink: true },
      fc.constantFrom(...(Object.keys(scalars) as (keyof typeof scalars)[])).map((kind): GobType => ({ kind })),
      tie('type').map((element): GobType => ({ kind: 'slice', element })),
      tie('type').map((value): GobType => ({ kind: 'map', key: { kind: 'string' }, value })),
      fc.uniqueArray(tie('type'), { maxLength: 4, comparator: 'SameValue' }).map(
        (types): GobType => ({
          kind: 'struct',
          name: 'Any',
          fields: types.map((type, index) => ({ name: `F${index}`, type })),
        }),
      ),
    ),
  }))
  .type.chain((type) => anyValueOf(type).map((value) => [type, value] as const));

function anyValueOf(type: GobType): fc.Arbitrary<GobValue> {
  switch (type.kind) {
    case 'slice':
      return fc.array(anyValueOf(type.element), { maxLength: 4 });
    case 'map':
      return fc
        .array(fc.tuple(fc.string(), anyValueOf(type.value)), { maxLength: 4 })
        .map((entries) => new Map(entries));
    case 'struct':
      return fc.record(Object.fromEntries(type.fields.map((field) => [field.name, anyValueOf(field.type)])));
    default:
      return scalars[type.kind];
  }
}

/** What a reader sees: zero fields of structs are gone, and there is no prototype. */
function normalized(type: GobType, value: GobValue): unknown {
  switch (type.kind) {
    case 'slice':
      return (value as GobValue[]).map((element) => normalized(type.element, element));
    case 'map':
      return new Map([...(value as Map<GobValue, GobValue>)].map(([k, v]) => [k, normalized(type.value, v)]));
    case 'struct': {
      const members: Record<string, unknown> = Object.create(null);
      for (const field of type.fields) {
        const member = (value as Record<string, GobValue>)[field.name]!;
        const isEmpty = typeof member === 'object' && 'length' in member && member.length === 0;
        if (isEmpty || member === 0 || member === '' || member === false) continue;
        members[field.name] = normalized(field.type, member);
      }
      return members;
    }
    default:
      return value;
  }
}

const seed = testSeed();

test(`whatever is encoded is decoded as it was, and encoded again it is the same bytes (seed ${seed})`, () => {
  fc.assert(
    fc.property(typedValue, ([type, value]) => {
      const stream = encodeGob(type, value);
      const decoded = decodeGob(stream);
      assert.deepEqual(decoded, [normalized(type, value)]);
      assert.deepEqual(encodeGob(type, decoded[0]!), stream);
    }),
    { seed, numRuns: 300 },
  );
});

test(`bytes that are no gob stream are refused with GOB_INVALID and nothing else (seed ${seed})`, () => {
  const valid = encodeGob(
    { kind: 'map', key: { kind: 'string' }, value: { kind: 'slice', element: { kind: 'int' } } },
    new Map([['a', [1, 2, 3]]]),
  );
  const damaged = fc.tuple(fc.nat(valid.length - 1), fc.nat(255), fc.nat(valid.length)).map(([at, byte, length]) => {
    const bytes = Buffer.from(valid);
    bytes[at] = byte;
    return bytes.subarray(0, length);
  });
  fc.assert(
    fc.property(
      fc.oneof(
        damaged,
        fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
      ),
      (bytes) => {
        try {
          decodeGob(bytes);
        } catch (error) {
          assert.ok(isGobInvalid(error), String(error));
        }
      },
    ),
    { seed, numRuns: 2_000 },
  );
});

test('a stream that is cut anywhere is refused', () => {
  const valid = encodeGob({ kind: 'slice', element: { kind: 'string' } }, ['one', 'two']);
  const messages = messageEnds(valid);
  for (let length = 1; length < valid.length; length += 1) {
    if (messages.includes(length)) continue;
    assert.throws(() => decodeGob(valid.subarray(0, length)), isGobInvalid, `cut at ${length}`);
  }
});

test('a length or a count larger than the rest of the stream asks for no memory', () => {
  assert.throws(() => decodeGob(Buffer.from('f87fffffffffffffff', 'hex')), isGobInvalid);
  const slice = encodeGob({ kind: 'slice', element: { kind: 'int' } }, [7]);
  const huge = Buffer.concat([slice.subarray(0, messageEnds(slice)[0]), Buffer.from('08ff8200fc7fffffff', 'hex')]);
  assert.throws(() => decodeGob(huge), isGobInvalid);
});

test('values may nest to the limit and not one deeper', () => {
  const nested = (depth: number) => {
    let type: GobType = { kind: 'bool' };
    let value: GobValue = true;
    for (let level = 0; level < depth; level += 1) {
      type = { kind: 'slice', element: type };
      value = [value];
    }
    return encodeGob(type, value);
  };
  assert.equal(decodeGob(nested(gobDepthMax)).length, 1);
  assert.throws(() => decodeGob(nested(gobDepthMax + 1)), isGobInvalid);
});

test('a struct may have as many fields as the limit and not one more', () => {
  const wide = (count: number): GobType => ({
    kind: 'struct',
    name: 'Wide',
    fields: Array.from({ length: count }, (_, index) => ({ name: `F${index}`, type: { kind: 'bool' } })),
  });
  assert.equal(decodeGob(encodeGob(wide(gobFieldsMax), {})).length, 1);
  assert.throws(() => decodeGob(encodeGob(wide(gobFieldsMax + 1), {})), isGobInvalid);
});

test('a stream may define as many types as the limit and not one more', () => {
  const types = (count: number): GobType => ({
    kind: 'struct',
    name: 'Outer',
    fields: Array.from({ length: count - 1 }, (_, index) => ({
      name: `F${index}`,
      type: { kind: 'struct', name: `S${index}`, fields: [] },
    })),
  });
  assert.equal(decodeGob(encodeGob(types(gobTypesMax), {})).length, 1);
  assert.throws(() => decodeGob(encodeGob(types(gobTypesMax + 1), {})), isGobInvalid);
});

test('a stream may hold as many values as the limit and not one more', () => {
  const bits = (count: number) => encodeGob({ kind: 'slice', element: { kind: 'bool' } }, Array(count).fill(true));
  assert.equal((decodeGob(bits(gobValuesMax - 1))[0] as unknown[]).length, gobValuesMax - 1);
  assert.throws(() => decodeGob(bits(gobValuesMax)), isGobInvalid);
});

/** Offsets at which a message ends. */
function messageEnds(stream: Buffer): number[] {
  const ends: number[] = [];
  let at = 0;
  while (at < stream.length) {
    const content = new GobReader(stream.subarray(at)).bytes();
    at = content.byteOffset - stream.byteOffset + content.length;
    ends.push(at);
  }
  return ends;
}
