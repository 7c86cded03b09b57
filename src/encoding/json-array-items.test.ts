/** Items of JSON arrays, whatever the pieces that they come in. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { CcxError } from './ccx-error.ts';
import { jsonArrayItems } from './json-array-items.ts';

async function* pieces(text: string, bytes: number): AsyncGenerator<Uint8Array> {
  const whole = Buffer.from(text, 'utf8');
  for (let at = 0; at < whole.length; at += bytes) yield whole.subarray(at, at + bytes);
}

async function itemsOf(text: string, bytes = 7, itemBytesMax = 100_000): Promise<unknown[]> {
  const items: unknown[] = [];
  for await (const item of jsonArrayItems(pieces(text, bytes), itemBytesMax)) items.push(JSON.parse(item));
  return items;
}

test('any array comes out as it went in, however it is cut and indented', () =>
  fc.assert(
    fc.asyncProperty(
      fc.array(fc.jsonValue()),
      fc.integer({ min: 1, max: 40 }),
      fc.boolean(),
      async (all, bytes, wide) => {
        const text = JSON.stringify(all, null, wide ? 2 : 0);
        assert.deepEqual(await itemsOf(` ${text}\n`, bytes), JSON.parse(text));
      },
    ),
  ));

test('what is no array, ends early or is too large is an error', async () => {
  for (const text of ['', '{"a":[]}', '[1', '["]', '[{"a":1}', '[] x', 'null']) {
    await assert.rejects(
      itemsOf(text),
      (error) => error instanceof CcxError && error.code === 'JSON_ARRAY_INVALID',
      text,
    );
  }
  assert.deepEqual(await itemsOf('["12345678"]', 3, 10), ['12345678']);
  await assert.rejects(itemsOf('["123456789"]', 3, 10), { code: 'JSON_ARRAY_INVALID' });
});
