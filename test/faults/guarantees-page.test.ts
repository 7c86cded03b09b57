/** `docs/guarantees.md` and the kill points are one list: what the page says is marked by an event is killed at, and nothing else. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { killPoints, specialKillPoints } from './kill-points.ts';

const page = readFileSync(new URL('../../docs/guarantees.md', import.meta.url), 'utf8');

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
