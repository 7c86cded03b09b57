/**
 * `docs/guarantees.md` is held to the tests: what the page says is marked by an event is killed at, and nothing else; every fault of the
 * lists is in it, and what it says to be shown by a test has that test, by its number.
 */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { killPoints, specialKillPoints } from './kill-points.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const page = readFileSync(join(root, 'docs/guarantees.md'), 'utf8');

/** Of consumers.md 5.2 and 5.3. */
const faults = ['F', 'G'].flatMap((list) => Array.from({ length: 26 }, (_, index) => `${list}${index + 1}`));

test('every line of the guarantees is killed at the events that mark it', () => {
  const lines = new Map(
    [...page.matchAll(/^\| (\d+) \|.*\| ([^|]+) \|$/gm)].map((match) => [
      Number(match[1]),
      [...match[2]!.matchAll(/`([^`]+)`/g)].map((event) => event[1]!).sort(),
    ]),
  );
  const killed = Map.groupBy([...killPoints, ...specialKillPoints], ({ line }) => line);
  assert.deepEqual(
    [...lines.keys()],
    Array.from({ length: 14 }, (_, index) => index + 1),
  );
  for (const [line, events] of lines) {
    const points = (killed.get(line) ?? []).map(({ event }) => event).sort();
    assert.deepEqual(points, events, `line ${line}`);
  }
});

/** Numbers before the colon of a test's or a suite's title, which others may stand beside: `D5, service Q4, F16: …`. */
function numbersIn(file: string): Set<string> {
  const titles = readFileSync(join(root, file), 'utf8').matchAll(
    /\b(?:test|describe)\(\s*['"`]((?:[\w ]+, )*[\w ]+): /g,
  );
  return new Set([...titles].flatMap(([, numbers = '']) => numbers.split(', ')).filter((one) => faults.includes(one)));
}

test('every fault is in the table, and by its number in every test file that is named for it, and in no other', () => {
  const rows = [...page.matchAll(/^\| ([FG]\d+) \|.*\| ([^|]+) \|$/gm)].map(
    ([, number = '', shownBy = '']) =>
      [number, [...shownBy.matchAll(/\]\(\.\.\/([^)]+)\)/g)].map(([, path = '']) => path).sort()] as const,
  );
  assert.deepEqual(
    rows.map(([number]) => number),
    faults,
  );
  const files = globSync('{src,test}/**/*.test.ts', { cwd: root }).map((file) => [file, numbersIn(file)] as const);
  for (const [number, shownBy] of rows) {
    const numbered = files.filter(([, numbers]) => numbers.has(number)).map(([file]) => file);
    assert.deepEqual(shownBy, numbered.sort(), number);
  }
});
