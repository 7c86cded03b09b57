/**
 * Tables change by expand, then contract: what a migration does to tables that are there lets a replica of the release before go on with
 * them. A release that takes something away, which nobody uses since the one before, is named here with that release.
 */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { migrationsPath, splitStatements } from './sql-file.ts';

/** Words of statements that take something from whoever knows the tables as they were. */
const takesAway = /\b(DROP|RENAME|ALTER COLUMN|SET NOT NULL|TRUNCATE|REVOKE)\b/i;
/** Per file, which release had stopped using it. None so far. */
const contracts: Readonly<Record<string, string>> = {};

/** What a replica that does not know it would stumble over; undefined: nothing. */
function stumblingBlock(sql: string): string | undefined {
  for (const statement of splitStatements(sql).map((text) => text.replaceAll(/'(?:[^']|'')*'/g, "''"))) {
    if (takesAway.test(statement)) return statement;
    const [, changes] = /^ALTER TABLE \S+ (.*)$/.exec(statement) ?? [];
    for (const change of changes?.split(/, (?=ADD\b)/) ?? []) {
      const fills = !/\bNOT NULL\b/.test(change) || /\bDEFAULT\b/.test(change);
      if (!change.startsWith('ADD COLUMN ') || !fills) return statement;
    }
  }
  return undefined;
}

test('G25: no migration takes anything from a replica of the release before', () => {
  const files = globSync('ccx/*/*.sql', { cwd: migrationsPath('') });
  assert.ok(files.length > 10, 'they are found');
  for (const file of files.filter((name) => contracts[name] === undefined))
    assert.equal(stumblingBlock(readFileSync(migrationsPath(file), 'utf8')), undefined, file);
});

for (const [what, sql, stumbles] of [
  ['a column that may be empty', 'ALTER TABLE ccx.a ADD COLUMN b text, ADD COLUMN c int;', false],
  ['a column with a value', "ALTER TABLE ccx.a\n  ADD COLUMN b text NOT NULL DEFAULT 'RENAME';", false],
  ['a column that old rows must have', 'ALTER TABLE ccx.a ADD COLUMN b text NOT NULL;', true],
  ['a column less', 'ALTER TABLE ccx.a DROP COLUMN b;', true],
  ['a column of another name', 'ALTER TABLE ccx.a RENAME COLUMN b TO c;', true],
  ['a rule that old writers do not know', 'ALTER TABLE ccx.a ADD CONSTRAINT c CHECK (b > 0);', true],
  ['a table less', 'CREATE TABLE ccx.b (x int);\nDROP TABLE ccx.a;', true],
] as const) {
  test(`${what}: ${stumbles ? 'a replica stumbles over it' : 'nobody notices'}`, () => {
    assert.equal(stumblingBlock(sql) !== undefined, stumbles);
  });
}
