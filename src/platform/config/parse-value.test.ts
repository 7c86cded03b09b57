/** Text → value: Go's durations, booleans and integers, sizes and lists. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  formatDuration,
  parseBoolean,
  parseBytes,
  parseDuration,
  parseInteger,
  parseOption,
  shownText,
  splitList,
} from './parse-value.ts';

test('durations follow Go', () => {
  const table: [string, number | undefined][] = [
    ['1m30s', 90_000],
    ['15s', 15_000],
    ['1.5h', 5_400_000],
    ['250ms', 250],
    ['-1s', -1000],
    ['0', 0],
    ['', 0],
    ['1', undefined],
    ['1d', undefined],
    ['s', undefined],
    ['1s ', 1000],
    ['1s2', undefined],
  ];
  for (const [text, expected] of table) assert.equal(parseDuration(text), expected, text);
});

test('a duration is shown in its largest whole unit, and what is shown is read back', () => {
  const shown = [0, 250, 1_500, 90_000, 300_000, 259_200_000].map(formatDuration);
  assert.deepEqual(shown, ['0s', '250ms', '1500ms', '90s', '5m', '72h']);
  fc.assert(fc.property(fc.nat(10 ** 12), (ms) => parseDuration(formatDuration(ms)) === ms));
});

test('a bare number is nanoseconds, and one that is no length of time is refused', () => {
  const spec = { type: 'duration', default: 0, description: 'wait', min: 1 } as const;
  assert.equal(parseOption(spec, 1_500_000_000, 'x.wait'), 1_500);
  for (const raw of [NaN, Infinity, true])
    assert.throws(() => parseOption(spec, raw, 'x.wait'), /^CcxError: x\.wait cannot be read as duration: /);
});

test('booleans are the words of Go, empty is false', () => {
  for (const text of ['1', 't', 'T', 'TRUE', 'true', 'True']) assert.equal(parseBoolean(text), true);
  for (const text of ['0', 'f', 'F', 'FALSE', 'false', 'False', '']) assert.equal(parseBoolean(text), false);
  for (const text of ['yes', 'on', 'tRUE', '2']) assert.equal(parseBoolean(text), undefined);
});

test('integers take base prefixes and underscores', () => {
  const table: [string, number | undefined][] = [
    ['0x10', 16],
    ['0o17', 15],
    ['0b11', 3],
    ['010', 8],
    ['1_000', 1000],
    ['-5', -5],
    ['0', 0],
    ['', 0],
    ['08', 8],
    ['1.5', undefined],
    ['ten', undefined],
    ['9007199254740993', undefined],
  ];
  for (const [text, expected] of table) assert.equal(parseInteger(text), expected, text);
});

test('sizes take decimal and binary units', () => {
  const table: [string, number | undefined][] = [
    ['100MiB', 104_857_600],
    ['104857600', 104_857_600],
    ['1.5 GB', 1_500_000_000],
    ['1k', 1000],
    ['2Ki', 2048],
    ['', undefined],
    ['-1', undefined],
    ['1X', undefined],
  ];
  for (const [text, expected] of table) assert.equal(parseBytes(text), expected, text);
});

test('any whole number survives being written and read', () => {
  fc.assert(fc.property(fc.maxSafeInteger(), (value) => parseInteger(String(value)) === value));
});

test('lists split as their option says', () => {
  assert.deepEqual(splitList('a, b', 'comma'), ['a', ' b']);
  assert.deepEqual(splitList(' a  b ', 'whitespace'), ['a', 'b']);
  assert.deepEqual(splitList('a, b c', 'comma-or-whitespace'), ['a', 'b', 'c']);
  assert.deepEqual(splitList('', 'comma'), []);
});

test('what a list holds are plain values, and nothing else is made text', () => {
  const spec = { type: 'list', default: [], description: 'brokers' } as const;
  assert.deepEqual(parseOption(spec, ['a:1', 2, true], 'run.kafka'), ['a:1', '2', 'true']);
  for (const inner of [{ a: 1 }, Object.create(null), ['a'], null, new Date(0)])
    assert.throws(
      () => parseOption(spec, ['a:1', inner], 'run.kafka'),
      /^CcxError: run\.kafka cannot be read as list: /,
    );
});

test('users and passwords of addresses are not shown, wherever they stand', () => {
  const table: [value: unknown, shown: string][] = [
    ['https://user:hunter2@h/path?q=1', '"https://***@h/path?q=1"'],
    ['https://hunter2@h', '"https://***@h"'],
    ['http://user:hun@ter/2 #x@h', '"http://***@h"'],
    ['user:hunter2@h:9092,h2:9092', '"***@h:9092,h2:9092"'],
    ['user:/hunter2@h', '"***@h"'],
    [['a:1', 'kafka://u:hunter2@b:1'], '["a:1","kafka://***@b:1"]'],
    [{ url: 'http://u:hunter2@h' }, '{"url":"http://***@h"}'],
    ['someone@example.com', '"someone@example.com"'],
    ['localhost:9091', '"localhost:9091"'],
    ['https://h:1/x', '"https://h:1/x"'],
    [undefined, 'undefined'],
    [7, '7'],
  ];
  for (const [value, shown] of table) assert.equal(shownText(value), shown);
});
