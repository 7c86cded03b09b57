/** Go's flag grammar: what is a flag, what ends the flags, what is wrong and in which words. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { goUsage, parseGoFlags } from './go-flags.ts';

const table = {
  version: { type: 'bool', usage: 'show version' },
  'max-age': { type: 'string', usage: 'max age for displaying/cleaning old records' },
  migrate: { type: 'string', usage: 'set database version' },
} as const;
const parse = (...args: string[]) => parseGoFlags(table, args);
const values = (...args: string[]) => {
  const result = parse(...args);
  return result.kind === 'parsed' ? result.values : result;
};

test('one dash and two are the same, values come behind = or as the next argument', () => {
  assert.deepEqual(values('-version', '--max-age', '7 days', '-migrate=latest'), {
    version: true,
    'max-age': '7 days',
    migrate: 'latest',
  });
  assert.deepEqual(values('--migrate', '-1'), { migrate: '-1' });
  assert.deepEqual(values('--migrate='), { migrate: '' });
  assert.deepEqual(values('--migrate=a=b', '--migrate', 'c'), { migrate: 'c' });
});

test('booleans take their value behind = only', () => {
  for (const word of ['1', 't', 'T', 'TRUE', 'true', 'True'])
    assert.deepEqual(values(`-version=${word}`), { version: true });
  for (const word of ['0', 'f', 'F', 'FALSE', 'false', 'False'])
    assert.deepEqual(values(`-version=${word}`), { version: false });
  assert.deepEqual(values('-version', 'false'), { version: true });
  for (const word of ['yes', '']) {
    assert.deepEqual(parse(`-version=${word}`), {
      kind: 'error',
      line: `invalid boolean value "${word}" for -version: parse error`,
    });
  }
});

test('what follows the first argument that is no flag is ignored', () => {
  assert.deepEqual(values('foo', '-version'), {});
  assert.deepEqual(values('-', '-version'), {});
  assert.deepEqual(values('--', '-version'), {});
  assert.deepEqual(values('-version', 'extra', '-unknown'), { version: true });
});

test('help is asked for in four ways, unless something was wrong before', () => {
  for (const word of ['-h', '--h', '-help', '--help', '-help=x']) assert.deepEqual(parse(word), { kind: 'help' });
  assert.deepEqual(parse('-wrong', '-h'), { kind: 'error', line: 'flag provided but not defined: -wrong' });
});

test('errors have the words of Go', () => {
  assert.deepEqual(parse('--wrong=1'), { kind: 'error', line: 'flag provided but not defined: -wrong' });
  assert.deepEqual(parse('--constructor'), { kind: 'error', line: 'flag provided but not defined: -constructor' });
  assert.deepEqual(parse('-migrate'), { kind: 'error', line: 'flag needs an argument: -migrate' });
  assert.deepEqual(parse('---version'), { kind: 'error', line: 'bad flag syntax: ---version' });
  assert.deepEqual(parse('-=x'), { kind: 'error', line: 'bad flag syntax: -=x' });
});

test('the usage lists the flags in order of the alphabet, two lines each', () => {
  assert.equal(
    goUsage('program', table),
    'Usage of program:\n  -max-age string\n    \tmax age for displaying/cleaning old records\n  -migrate string\n    \tset database version\n  -version\n    \tshow version\n',
  );
});

test('numbers and what a library reads are flags with a value, which may be wrong in its own words', () => {
  const withValues = {
    level: {
      type: 'int',
      usage: 'a level',
      problem: (text: string) => (/^\d+$/.test(text) ? undefined : 'parse error'),
    },
    threshold: { type: 'value', usage: 'a threshold', default: '2' },
  } as const;
  assert.deepEqual(parseGoFlags(withValues, ['-level', '7', '--threshold=x']), {
    kind: 'parsed',
    values: { level: '7', threshold: 'x' },
  });
  assert.deepEqual(parseGoFlags(withValues, ['-level=x']), {
    kind: 'error',
    line: 'invalid value "x" for flag -level: parse error',
  });
  assert.deepEqual(parseGoFlags(withValues, ['-threshold']), {
    kind: 'error',
    line: 'flag needs an argument: -threshold',
  });
  assert.equal(
    goUsage('program', withValues),
    'Usage of program:\n  -level int\n    \ta level\n  -threshold value\n    \ta threshold (default 2)\n',
  );
});
