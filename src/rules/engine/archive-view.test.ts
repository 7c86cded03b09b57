/** What facts see of an archive, honest and hostile. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createArchiveView } from './archive-view.ts';
import { field } from './json-access.ts';
import { brokenFilesListedMax, jsonDepthMax } from './limits.ts';

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
    'text.json': inText,
  });
  assert.notEqual(view.json('at.json'), undefined);
  assert.notEqual(view.json('text.json'), undefined);
  assert.equal(view.json('past.json'), undefined);
  assert.equal(view.json('deep.json'), undefined);
  assert.deepEqual(
    view.broken().map((file) => file.reason),
    ['too deep', 'too deep'],
  );
});

test('as many broken files are listed as the limit and not one more', () => {
  const view = viewOf(
    Object.fromEntries(Array.from({ length: brokenFilesListedMax + 1 }, (_, i) => [`${i}.json`, '{'])),
  );
  for (const path of view.paths()) view.json(path);
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
