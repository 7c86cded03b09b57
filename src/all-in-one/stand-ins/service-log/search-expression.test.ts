/** The search expressions that Service Log's clients send. Source: consumers.md 2.1. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { CcxError } from '../../../encoding/ccx-error.ts';
import { parseSearch } from './search-expression.ts';
import { SEARCH_COLUMNS } from './stored-entry.ts';

const entry = {
  service_name: 'SREManualAction',
  internal_only: false,
  severity: 'Warning',
  summary: "Node isn't ready",
  description: 'line one\nline 100%',
  username: '',
  created_by: 'someone',
  created_at: '2026-03-01T10:15:30.123456Z',
};

const matches: Readonly<Record<string, boolean>> = {
  "service_name='SREManualAction'": true,
  "service_name = 'other'": false,
  "internal_only='true'": false,
  'internal_only = false': true,
  "severity IN ('Info','Warning')": true,
  "severity not in ('Info', 'Warning')": false,
  "summary = 'Node isn''t ready'": true,
  "(description ILIKE '%LINE 100%' OR summary ILIKE 'x')": true,
  "description like 'line%100_'": true,
  "description like 'LINE%'": false,
  "(username ILIKE '%x%' OR (username='' AND created_by ILIKE '%ONE%'))": true,
  "created_at >= '2026-03-01T10:15:30Z'": true,
  "created_at >= '2026-03-01 10:15:31Z'": false,
  "created_at < '2026-03-02' and created_at > '2026-02-28'": true,
  "severity='Info' or severity='Warning' and service_name='x'": false,
  "not severity='Info' and not (service_name='x')": true,
};

for (const [search, expected] of Object.entries(matches)) {
  test(`${search} ${expected ? 'finds' : 'does not find'} the entry`, () => {
    assert.equal(parseSearch(search, SEARCH_COLUMNS)(entry), expected);
  });
}

test('what cannot be understood is refused, not taken for something else', () => {
  for (const search of [
    "password='x'",
    'severity',
    "severity ='Info",
    "severity='Info' severity='Info'",
    "severity='Info' and",
    "(severity='Info'",
    'severity in ()',
    "severity ~ 'x'",
    "created_at > 'yesterday'",
    "'Info'='Info'",
    `${'('.repeat(40)}severity='Info'${')'.repeat(40)}`,
    `severity='${'x'.repeat(5000)}'`,
  ]) {
    assert.throws(() => parseSearch(search, SEARCH_COLUMNS), { code: 'SEARCH_INVALID' }, search.slice(0, 40));
  }
});

test('any quoted text finds exactly itself, and no text breaks the parser', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 200 }), fc.string({ maxLength: 200 }), (wanted, other) => {
      const predicate = parseSearch(`summary='${wanted.replaceAll("'", "''")}'`, SEARCH_COLUMNS);
      assert.equal(predicate({ summary: wanted }), true);
      assert.equal(predicate({ summary: other }), wanted === other);
      try {
        parseSearch(other, SEARCH_COLUMNS);
      } catch (error) {
        assert.ok(error instanceof CcxError);
      }
    }),
  );
});
