/** What facts see of an archive, honest and hostile. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  brokenFilesListedMax,
  createArchiveView,
  jsonArchiveBytesMax,
  jsonArchiveValuesMax,
  jsonDepthMax,
  jsonFileBytesMax,
  jsonFileValuesMax,
  textLineBytesMax,
  textLinesMax,
} from './archive-view.ts';
import { field } from './json-access.ts';

function viewOf(files: Readonly<Record<string, string | Buffer>>) {
  return createArchiveView(new Map(Object.entries(files).map(([path, body]) => [path, Buffer.from(body)])));
}

test('a directory is listed at any depth, in order, without its neighbours', () => {
  const view = viewOf({
    'a/b.json': '',
    'a/b/c.json': '',
    'a-b/x.json': '',
    'a.json': '',
    'a/a.log': '',
    'ab/d.json': '',
  });
  assert.deepEqual(view.below('a'), ['a/a.log', 'a/b.json', 'a/b/c.json']);
  assert.deepEqual(view.jsonFilesIn('a'), ['a/b.json']);
  assert.deepEqual(view.below('none'), []);
});

test('a directory is listed as a filter over all paths would list it', () => {
  const segment = fc.constantFrom('a', 'b', 'a.b', 'a-b', 'a0', 'é', '/');
  const path = fc.array(segment, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'));
  fc.assert(
    fc.property(fc.uniqueArray(path), path, (paths, directory) => {
      const view = createArchiveView(new Map(paths.map((one) => [one, Buffer.alloc(0)])));
      assert.deepEqual(view.below(directory), paths.filter((one) => one.startsWith(`${directory}/`)).sort());
    }),
  );
});

test('a file is parsed once, however often it is asked for', () => {
  const view = viewOf({ 'a.json': '{"b":1}', 'c.json': '{' });
  assert.equal(view.json('a.json'), view.json('a.json'));
  view.json('c.json');
  view.json('c.json');
  assert.equal(view.broken().length, 1);
});

test('a file that is absent or broken is undefined, and the broken ones are noted', () => {
  const view = viewOf({ 'cut.json': '{"a":', 'empty.json': '', 'text.json': 'Hello', 'null.json': 'null' });
  for (const path of ['cut.json', 'empty.json', 'text.json', 'absent.json']) assert.equal(view.json(path), undefined);
  assert.equal(view.json('null.json'), null);
  assert.deepEqual(view.broken(), [
    { path: 'cut.json', reason: 'not JSON' },
    { path: 'empty.json', reason: 'not JSON' },
    { path: 'text.json', reason: 'not JSON' },
  ]);
});

test('JSON may nest to the limit and not one deeper, wherever brackets stand in texts', () => {
  const nested = (depth: number) => `${'['.repeat(depth)}${']'.repeat(depth)}`;
  const inText = `["${'['.repeat(1_000)}", "a\\"${'{'.repeat(1_000)}"]`;
  const view = viewOf({
    'at.json': nested(jsonDepthMax),
    'past.json': nested(jsonDepthMax + 1),
    'deep.json': nested(1_000_000),
    // So small that nothing of it is counted before it is parsed.
    'deeper-than-the-stack.json': nested(150_000),
    'member.json': `{"a":${nested(jsonDepthMax)}}`,
    'text.json': inText,
  });
  assert.notEqual(view.json('at.json'), undefined);
  assert.notEqual(view.json('text.json'), undefined);
  assert.equal(view.json('past.json'), undefined);
  assert.equal(view.json('deep.json'), undefined);
  assert.equal(view.json('deeper-than-the-stack.json'), undefined);
  assert.equal(view.json('member.json'), undefined);
  assert.deepEqual(
    view.broken().map((file) => file.reason),
    ['too deep', 'too deep', 'too deep', 'too deep'],
  );
});

/** Spaces and `[]`: so many bytes, one value. */
const blank = (bytes: number) => Buffer.concat([Buffer.alloc(bytes - 2, ' '), Buffer.from('[]')]);
/** An array that counts so many values: itself, its bracket, and each further element. */
const list = (values: number, element: string) =>
  `[${Array(values - 1)
    .fill(element)
    .join(',')}]`;

function brokenOf(files: Readonly<Record<string, string | Buffer>>) {
  const view = viewOf(files);
  for (const path of Object.keys(files)) view.json(path);
  return view.broken().map(({ path, reason }) => `${path}: ${reason}`);
}

test('a file may have the bytes of the limit and not one more', () => {
  assert.deepEqual(brokenOf({ at: blank(jsonFileBytesMax), past: blank(jsonFileBytesMax + 1) }), [
    'past: too many bytes',
  ]);
});

for (const element of ['{}', '[]', '""', '0.1', 'null', '-1e999', '"\\u0041"']) {
  test(`a file may have the values of the limit and not one more, be they ${element}`, () => {
    const nested = element === '{}' || element === '[]' ? 2 : 1;
    const at = list(Math.floor(jsonFileValuesMax / nested), element);
    const past = list(Math.floor(jsonFileValuesMax / nested) + 2, element);
    assert.deepEqual(brokenOf({ at, past }), ['past: too many values']);
  });
}

test('member names count as values, be they different, repeated or numbers', () => {
  for (const name of [(i: number) => `k${i}`, () => 'same', (i: number) => `${i * 7919}`]) {
    const members = (count: number) => `{${Array.from({ length: count }, (_, i) => `"${name(i)}":0`).join(',')}}`;
    assert.deepEqual(brokenOf({ at: members(jsonFileValuesMax / 2 - 1), past: members(jsonFileValuesMax / 2 + 1) }), [
      'past: too many values',
    ]);
  }
});

test('commas, colons and brackets in texts are no values', () => {
  assert.deepEqual(brokenOf({ text: JSON.stringify(',:[{\\"'.repeat(jsonFileValuesMax)) }), []);
});

test('an archive has a budget of bytes, and what is over it costs that file only', () => {
  const whole = Math.floor(jsonArchiveBytesMax / jsonFileBytesMax);
  const files = Object.fromEntries(Array.from({ length: whole }, (_, i) => [`${i}`, blank(jsonFileBytesMax)]));
  assert.deepEqual(brokenOf({ ...files, past: blank(100) }), ['past: over the budget of its archive']);
  // Files that are none are paid for, too; looking at them is the cost.
  const noJson = Object.fromEntries(Object.keys(files).map((path) => [path, Buffer.alloc(jsonFileBytesMax, '"')]));
  assert.equal(brokenOf({ ...noJson, past: blank(100) }).at(-1), 'past: over the budget of its archive');
});

test('an archive has a budget of values, and what is over it costs that file only', () => {
  const whole = Math.floor(jsonArchiveValuesMax / jsonFileValuesMax);
  const files = Object.fromEntries(
    Array.from({ length: whole }, (_, i) => [`${i}`, list(jsonFileValuesMax - 10, '1')]),
  );
  assert.deepEqual(brokenOf({ ...files, past: list(100, '1'), small: '[1]' }), [
    'past: over the budget of its archive',
  ]);
});

test('the values of many small files are counted together, to the limit and not one more', () => {
  const each = jsonArchiveValuesMax / 8;
  const files = Object.fromEntries(Array.from({ length: 8 }, (_, i) => [`${i}`, list(each, '1')]));
  assert.deepEqual(brokenOf({ ...files, past: '[1]' }), ['past: over the budget of its archive']);
  assert.deepEqual(brokenOf({ ...files, 7: list(each - 1, '1'), fits: '1' }), []);
  // Many bytes are not many values.
  const blanks = Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`${i}`, blank(100_000)]));
  assert.deepEqual(brokenOf({ ...blanks, many: list(jsonFileValuesMax, '1') }), []);
});

test('a file that its reader rejects is broken from then on, and once', () => {
  const view = viewOf({ 'a.json': '[]' });
  assert.deepEqual(view.json('a.json'), []);
  view.reject('a.json');
  view.reject('a.json');
  view.reject('absent.json');
  assert.equal(view.json('a.json'), undefined);
  assert.deepEqual(view.broken(), [{ path: 'a.json', reason: 'not what belongs there' }]);
});

test('as many broken files are listed as the limit and not one more', () => {
  const view = viewOf(
    Object.fromEntries(Array.from({ length: brokenFilesListedMax + 1 }, (_, i) => [`${i}.json`, '{'])),
  );
  for (let i = 0; i <= brokenFilesListedMax; i += 1) view.json(`${i}.json`);
  assert.equal(view.broken().length, brokenFilesListedMax);
});

test('a member named __proto__ is a member like any other and changes no prototype', () => {
  const view = viewOf({ 'a.json': '{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}' });
  assert.equal(field(view.json('a.json'), '__proto__', 'polluted'), true);
  assert.equal(field(view.json('a.json'), 'toString'), undefined);
  assert.equal('polluted' in {}, false);
});

test('invalid UTF-8 is shown as replacement characters', () => {
  const view = viewOf({ 'a.json': Buffer.from([0x22, 0xff, 0x22]), 'a.log': Buffer.from([0xff]) });
  assert.equal(view.json('a.json'), '\uFFFD');
  assert.equal(view.text('a.log'), '\uFFFD');
});

test('the lines of a file that begin with a text are told, wherever they are, and no others', () => {
  const view = viewOf({
    first: 'a 1\nb\na 2\r\n a 3\nxa 4\na',
    last: 'b\na 5',
    none: 'b\nb a',
    empty: '',
  });
  assert.deepEqual(view.linesBeginning('first', 'a'), ['a 1', 'a 2\r', 'a']);
  assert.deepEqual(view.linesBeginning('last', 'a '), ['a 5']);
  for (const path of ['none', 'empty', 'absent']) assert.deepEqual(view.linesBeginning(path, 'a'), []);
});

test('lines of a file are found as a filter over all of them would find them', () => {
  const line = fc.stringMatching(/^[ab ]{0,4}$/);
  fc.assert(
    fc.property(fc.array(line), fc.stringMatching(/^[ab ]{1,2}$/), (lines, beginning) => {
      const found = viewOf({ text: lines.join('\n') }).linesBeginning('text', beginning);
      assert.deepEqual(
        found,
        lines.filter((one) => one.startsWith(beginning)),
      );
    }),
  );
});

test('of a file no more lines and no longer ones are taken than the limits say', () => {
  const count = (lines: number) => viewOf({ text: 'a\n'.repeat(lines) }).linesBeginning('text', 'a').length;
  assert.equal(count(textLinesMax), textLinesMax);
  assert.equal(count(textLinesMax + 1), textLinesMax);
  const withLine = (bytes: number) => viewOf({ text: `${'a'.repeat(bytes)}\na` }).linesBeginning('text', 'a').length;
  assert.equal(withLine(textLineBytesMax), 2);
  assert.equal(withLine(textLineBytesMax + 1), 1);
});
