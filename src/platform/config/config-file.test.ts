/** What of a configuration file is read: its endings, marks at its beginning, nothing at all, and values that cannot be walked. */
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { temporaryFile } from '../../../test/support/temporary-folder.ts';
import { CcxError, errorText } from '../../encoding/ccx-error.ts';
import { readConfigFile } from './config-file.ts';

const byteOrderMark = '\uFEFF';

function refusal(name: string, text: string, options?: Parameters<typeof readConfigFile>[1]): CcxError {
  try {
    readConfigFile(temporaryFile(name, text), options);
  } catch (error) {
    assert.ok(error instanceof CcxError, inspect(error));
    assert.deepEqual([error.code, error.category], ['CONFIG_FILE', 'configuration']);
    return error;
  }
  assert.fail(`${name} was taken`);
}

test('the ending says the format, in any case; without a known one it is TOML', () => {
  const files = {
    'x.json': '{"Run":{"port":1}}',
    'x.JSON': '{"Run":{"port":1}}',
    'x.yaml': 'Run:\n  port: 1\n',
    'x.YAML': 'Run:\n  port: 1\n',
    'x.Yml': 'Run:\n  port: 1\n',
    'x.toml': '[Run]\nport = 1\n',
    'x.TOML': '[Run]\nport = 1\n',
    'json.conf': '[Run]\nport = 1\n',
  };
  for (const [name, text] of Object.entries(files)) {
    for (const mark of ['', byteOrderMark]) {
      const { values, tables } = readConfigFile(temporaryFile(name, `${mark}${text}`));
      assert.deepEqual([[...values], [...tables]], [[['run.port', 1]], ['run']], `${name} ${inspect(mark)}`);
    }
  }
});

test('an empty file says nothing, whatever its format; where the reference reads it, an empty JSON file is a torn one', () => {
  for (const name of ['x.toml', 'x.json', 'x.yaml'])
    for (const text of ['', '\n ', byteOrderMark])
      assert.equal(readConfigFile(temporaryFile(name, text)).values.size, 0);
  assert.equal(readConfigFile(temporaryFile('x.toml', ''), { emptyJson: 'refused' }).values.size, 0);
  assert.match(refusal('x.json', '', { emptyJson: 'refused' }).message, /: no JSON: it ends too early, or is empty$/);
  assert.match(refusal('x.json', '{"a":').message, /: no JSON: it ends too early, or is empty$/);
});

test('a file is read once: what is asked of it later needs no second look, as a pipe would not stand one', () => {
  const path = temporaryFile('x.toml', '[[receivers]]\nname = "a"\n');
  const file = readConfigFile(path);
  rmSync(path);
  assert.equal(file.lineOfEntryKey('receivers', 0, 'name'), 2);
});

const unreadable: Readonly<Record<string, readonly [name: string, text: string, reason: RegExp]>> = {
  'a table that contains itself': [
    'x.yaml',
    'run: &a\n  x: *a\n',
    /: its values nest more than 64 deep, or one contains itself$/,
  ],
  'a list that contains itself': [
    'x.yaml',
    'run: &a [*a]\n',
    /: its values nest more than 64 deep, or one contains itself$/,
  ],
  'tables too deep for any stack': [
    'x.json',
    `${'{"a":'.repeat(20_000)}1${'}'.repeat(20_000)}`,
    /: its values nest more than 64 deep/,
  ],
  'a key too long for any stack': [
    'x.toml',
    `[${Array(20_000).fill('a').join('.')}]\nb = 1\n`,
    /: its values nest more than 64 deep/,
  ],
  'lists too deep for the parser of TOML': ['x.toml', `a = ${'['.repeat(20_000)}`, /: no TOML at line 1, column \d+$/],
  'lists too deep for the parser of YAML': [
    'x.yaml',
    `a: ${'['.repeat(20_000)}`,
    /: no YAML at line 1, column \d+ \([A-Z_]+\)$/,
  ],
  'aliases that repeat each other': [
    'x.yaml',
    Array.from(
      { length: 9 },
      (_, index) => `a${index}: &a${index} [${Array(9).fill(index === 0 ? 'x' : `*a${index - 1}`)}]\n`,
    ).join(''),
    /: its aliases stand for too much: each repeats others many times; write the values out$/,
  ],
  'merges that repeat each other': [
    'x.yaml',
    `a0: &a0 {k: v}\n${Array.from({ length: 20 }, (_, index) => `a${index + 1}: &a${index + 1} {x: {<<: *a${index}}, y: {<<: *a${index}}}\n`).join('')}`,
    /: its aliases stand for too much: each repeats others many times; write the values out$/,
  ],
  'a list': ['x.json', '[1]', /: no sections in it$/],
  'a text': ['x.yaml', 'run', /: no sections in it$/],
};
for (const [what, [name, text, reason]] of Object.entries(unreadable)) {
  test(`${what} is one clear error, said once`, () => {
    const error = refusal(name, text);
    assert.match(error.message, reason);
    assert.equal(errorText(error), error.message);
  });
}

test('as deep as is taken is taken', () => {
  const nested = (depth: number) => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`;
  assert.equal(readConfigFile(temporaryFile('x.json', nested(64))).values.size, 1);
  assert.match(refusal('x.json', nested(65)).message, /nest more than 64 deep/);
});

test('a file that is not there is named, and why, once', () => {
  assert.throws(
    () => readConfigFile('/nonexistent.toml'),
    (error) => {
      assert.match(
        errorText(error),
        /^fatal error config file: \/nonexistent\.toml: ENOENT: no such file or directory, open '\/nonexistent\.toml'$/,
      );
      return true;
    },
  );
});
