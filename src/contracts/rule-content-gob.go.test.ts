/**
 * Rule content, and gob itself, against Go's own `encoding/gob`: a Go program reads what we write and we read what it writes. What it
 * read it says in JSON, and what it is to write it is told in JSON, so that a mistake that our two halves share does not hide.
 */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { goProgram } from '../../test/support/go/go-program.ts';
import { anyRuleContent, anyText } from '../../test/support/rule-content.ts';
import { testSeed } from '../../test/support/test-seed.ts';
import { decodeGob } from '../encoding/gob/decode-gob.ts';
import { encodeGob } from '../encoding/gob/encode-gob.ts';
import type { GobType, GobValue } from '../encoding/gob/gob-value.ts';
import { decodeRuleContent, encodeRuleContent } from './rule-content-gob.ts';

const askGo = goProgram<{ readonly Error: string; readonly Value: string | null }>('rule-content');

/** `c`: gob of content to JSON, `C`: the other way; `k` and `K` the same for `kinds` of main.go. */
async function ask(question: 'c' | 'C' | 'k' | 'K', documents: readonly (Buffer | string)[]): Promise<Buffer[]> {
  const answers = await askGo(
    documents.map((document) => Buffer.concat([Buffer.from(question), Buffer.from(document)])),
  );
  return answers.map(({ Error: error, Value }) => {
    assert.equal(error, '');
    return Buffer.from(Value ?? '', 'base64');
  });
}

/** Go says null for a list that holds nothing, and for a pointer that leads nowhere. */
function readJson(text: Buffer): Record<string, unknown> {
  return JSON.parse(text.toString('utf8'), (_, value) => (value === null ? [] : value));
}

const seed = testSeed();
const directories = fc.sample(anyRuleContent, { seed, numRuns: 300 });

test(`Go reads the content that we write (seed ${seed})`, async () => {
  const read = await ask('c', directories.map(encodeRuleContent));
  for (const [at, text] of read.entries()) assert.deepEqual(readJson(text), asJson(directories[at]), `sample ${at}`);
});

test(`we read the content that Go writes (seed ${seed})`, async () => {
  const written = await ask(
    'C',
    directories.map((directory) => JSON.stringify(directory)),
  );
  for (const [at, gob] of written.entries())
    assert.deepEqual(asJson(decodeRuleContent(gob)), asJson(directories[at]), `sample ${at}`);
});

function asJson(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

const realAnswer = new URL('../../../shared/data/content/content-service-response.gob', import.meta.url);

test('Go and we read the same in the answer of a real content service, and in our own encoding of it', {
  skip: existsSync(realAnswer) ? false : 'the folder of real inputs is not beside the repository',
}, async () => {
  const bytes = readFileSync(realAnswer);
  const directory = decodeRuleContent(bytes);
  const [original, ours] = await ask('c', [bytes, encodeRuleContent(directory)]);
  // Where a stream lacks a map Go has none, and we an empty one.
  const { config, ...rules } = readJson(original!);
  assert.deepEqual(config, { impact: asJson(directory.config.impact), resolution_risk: [] });
  assert.deepEqual({ ...rules, config: asJson(directory.config) }, asJson(directory));
  assert.deepEqual(readJson(ours!), asJson(directory));
});

const text: GobType = { kind: 'string' };
const inner: GobType = {
  kind: 'struct',
  name: 'inner',
  fields: [
    { name: 'Small', type: { kind: 'int' } },
    {
      name: 'Deep',
      type: { kind: 'slice', element: { kind: 'map', key: text, value: { kind: 'bool' } } },
    },
  ],
};
const kinds: GobType = {
  kind: 'struct',
  name: 'kinds',
  fields: [
    { name: 'Flag', type: { kind: 'bool' } },
    { name: 'Whole', type: { kind: 'int' } },
    { name: 'Count', type: { kind: 'uint' } },
    { name: 'Real', type: { kind: 'float' } },
    { name: 'Text', type: text },
    { name: 'Bytes', type: { kind: 'bytes' } },
    { name: 'Texts', type: { kind: 'slice', element: text } },
    { name: 'Named', type: { kind: 'map', key: text, value: { kind: 'int' } } },
    { name: 'Inner', type: inner },
    { name: 'Inners', type: { kind: 'map', key: text, value: { kind: 'slice', element: inner } } },
  ],
};

const anyInner = fc.record({
  Small: fc.integer({ min: -128, max: 127 }),
  Deep: fc.array(fc.dictionary(anyText, fc.boolean(), { maxKeys: 2 }), { maxLength: 2 }),
});
const anyKinds = fc.record({
  Flag: fc.boolean(),
  Whole: fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n),
  Count: fc.bigInt(0n, 2n ** 64n - 1n),
  Real: fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => (value === 0 ? 0 : value)),
  Text: anyText,
  Bytes: fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes)),
  Texts: fc.array(anyText, { maxLength: 3 }),
  Named: fc.dictionary(anyText, fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), { maxKeys: 3 }),
  Inner: anyInner,
  Inners: fc.dictionary(anyText, fc.array(anyInner, { maxLength: 2 }), { maxKeys: 2 }),
});
type Kinds = typeof anyKinds extends fc.Arbitrary<infer Value> ? Value : never;

/** As a program of ours would hand it to the encoder. */
function gobOf(value: Kinds): GobValue {
  const map = <T>(record: Readonly<Record<string, T>>, one: (member: T) => GobValue) =>
    new Map(Object.entries(record).map(([name, member]): [string, GobValue] => [name, one(member)]));
  const innerOf = ({ Small, Deep }: Kinds['Inner']): GobValue => ({
    Small,
    Deep: Deep.map((flags) => map(flags, (flag) => flag)),
  });
  return {
    ...value,
    Named: map(value.Named, (number) => number),
    Inner: innerOf(value.Inner),
    Inners: map(value.Inners, (list) => list.map(innerOf)),
  };
}

/** What Go's JSON says of it. */
function jsonOf({ Whole, Count, Bytes, ...same }: Kinds): Record<string, unknown> {
  const written = { ...same, Whole: String(Whole), Count: String(Count) };
  return asJson({ ...written, Bytes: Bytes.length === 0 ? [] : Bytes.toString('base64') }) as Record<string, unknown>;
}

const ofAllKinds = fc.sample(anyKinds, { seed, numRuns: 300 });

test(`Go reads every kind of value that we write (seed ${seed})`, async () => {
  const read = await ask(
    'k',
    ofAllKinds.map((value) => encodeGob(kinds, gobOf(value))),
  );
  for (const [at, json] of read.entries()) {
    const { Three, Pointer, Moment, ...shared } = readJson(json);
    assert.deepEqual([Three, Pointer, Moment], [[0, 0, 0], [], '0001-01-01T00:00:00Z']);
    assert.deepEqual(shared, jsonOf(ofAllKinds[at]!), `sample ${at}`);
  }
});

test(`we read every kind of value that Go writes, also those that we do not write (seed ${seed})`, async () => {
  const own = { Three: [1, 0, 65_535], Pointer: -5, Moment: '2026-11-21T16:00:00Z' };
  const written = await ask(
    'K',
    ofAllKinds.map((value) => JSON.stringify({ ...jsonOf(value), ...own })),
  );
  for (const [at, gob] of written.entries()) {
    const [value, ...more] = decodeGob(gob);
    assert.deepEqual(more, []);
    const { Three, Pointer, Moment, ...shared } = value as Record<string, GobValue>;
    assert.deepEqual([Three, Pointer, Buffer.isBuffer(Moment)], [own.Three, own.Pointer, true]);
    const [expected] = decodeGob(encodeGob(kinds, gobOf(ofAllKinds[at]!)));
    assert.deepEqual(shared, { ...(expected as object) }, `sample ${at}`);
  }
});
