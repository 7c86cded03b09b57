/** Packs as people write them, right and wrong: each fault with file, line, column and what to write instead; bounds of files and folders. */
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '../../../test/support/temporary-folder.ts';
import { catalogueNames } from '../catalog/catalogue-names.ts';
import { type PackFault, packLimits } from './pack.ts';
import { readPacks } from './pack-set.ts';

const names = await catalogueNames();

/** A pack whose files are these; `rules/` is where each name without a slash is. */
function packOf(rules: Readonly<Record<string, string>>, head = 'name: ours\nversion: "1"\nowner: us\n'): string {
  const folder = temporaryFolder();
  mkdirSync(join(folder, 'rules'));
  writeFileSync(join(folder, 'pack.yaml'), head);
  for (const [name, text] of Object.entries(rules)) writeFileSync(join(folder, 'rules', name), text);
  return folder;
}

const rule = (changes: Readonly<Record<string, string>> = {}) =>
  Object.entries({
    key: 'A_RULE',
    title: 'Something is wrong',
    impact: 'Data Loss',
    likelihood: '3',
    inputs: '{ version: config/version.json }',
    when: 'version.status.a == 1',
    reason: 'It is so.',
    ...changes,
  })
    .map(([name, text]) => `${name}: ${text}\n`)
    .join('');

async function faultsOf(folder: string): Promise<string[]> {
  const { faults } = await readPacks([folder], names);
  return faults.map((fault) => shown(fault, folder));
}

function shown({ file, line, column, problem, remedy }: PackFault, folder: string): string {
  return `${relative(folder, file)}:${line}:${column} ${problem} → ${remedy}`;
}

test('a right pack is read whole, with its inputs, details, texts and samples', async () => {
  const folder = packOf({
    'a.yaml': `${rule({ details: '{ of: version.status.b }', tags: '[one, two]', resolution: 'Do {{=pydata.of}}.' })}
samples:
  fires: { config/version.json: { status: { a: 1, b: x } } }
  silent:
    - config/version.json: { status: { a: 2 } }
    - config/version.json: { status: { a: 3 } }
`,
  });
  const { set, faults } = await readPacks([folder], names);
  assert.deepEqual(faults, []);
  const [pack] = set.packs;
  assert.deepEqual([pack?.name, pack?.version, pack?.owner, pack?.rules.length], ['ours', '1', 'us', 1]);
  const [loaded] = pack!.rules;
  assert.deepEqual(loaded?.rule, {
    module: 'ccx_packs.ours.A_RULE',
    key: 'A_RULE',
    inputs: [{ name: 'version', pattern: 'config/version.json', optional: false }],
    when: 'version.status.a == 1',
    details: { of: 'version.status.b' },
    tags: ['one', 'two'],
  });
  assert.deepEqual(
    loaded?.samples.map(({ title, fires, files }) => [title, fires, files]),
    [
      ['fires', true, { 'config/version.json': { status: { a: 1, b: 'x' } } }],
      ['silent 1', false, { 'config/version.json': { status: { a: 2 } } }],
      ['silent 2', false, { 'config/version.json': { status: { a: 3 } } }],
    ],
  );
  assert.match(set.source.version, /^[0-9a-f]{16}$/);
});

test('ten kinds of mistakes are ten faults, each with file, line, column and what to write instead', async () => {
  const folder = packOf({
    'a.yaml': `key: lower_case
title: Nothing works
impcat: Data Loss
impact: Dara Loss
likelihood: 7
tags: [Openshift]
inputs:
  version: /config/version.json
  budgets: config/pdbs/*/*.json
when: |
  budgets.exists(b,
    b.status.disruptionsAllowed = 0)
details:
  names: budgets.map(b, budget.metadata.name)
  fine: size(budgets)
reason: |
  There are {{=pydata.fin}} budgets, and
  {{~pydata.names :n}}{{=n.toUpperCase()}}{{~}}.
resolution: "Run \\"oc\\": {{?pydata.fine > 1}} often."
`,
  });
  assert.deepEqual(await faultsOf(folder), [
    'rules/a.yaml:3:1 a rule has no member "impcat" → Write "impact"',
    'rules/a.yaml:1:6 "lower_case" cannot be the key → Write capitals, digits and underscores, such as BACKUP_TOO_OLD',
    'rules/a.yaml:8:12 "/config/version.json" is no path of an archive → Write it from the root of the archive, for example config/version.json',
    'rules/a.yaml:12:33 Unexpected character: = → Write CEL: == compares, && and || join, ! negates, and texts stand in quotes',
    'rules/a.yaml:14:25 nothing is called "budget" → Write "budgets"',
    'rules/a.yaml:17:16 the rule has no detail "fin" → Write pydata.fine',
    'rules/a.yaml:18:26 "n.toUpperCase()" is no path → Write {{=pydata.name}}: a path and nothing else; compute values in details',
    'rules/a.yaml:19:26 this condition has no end → Write {{?}} where it ends',
    'rules/a.yaml:4:9 there is no impact "Dara Loss" → Write "Data Loss"',
    'rules/a.yaml:5:13 this is no likelihood → Write a whole number from 1 (low) to 4 (critical)',
    'rules/a.yaml:6:8 "Openshift" cannot be a tag → Write a list of lower case words, such as [openshift, service_availability]',
  ]);
});

test('what is missing, twice, of the wrong kind or no YAML is named with its place', async () => {
  const cases: readonly [Readonly<Record<string, string>>, string][] = [
    [{ 'a.yaml': 'key: A_RULE\n' }, 'rules/a.yaml:1:1 the rule has no "title" → Write in a sentence'],
    [{ 'a.yaml': `${rule()}title: Again\n` }, 'rules/a.yaml:8:1 this member stands here twice → Leave one of them'],
    [{ 'a.yaml': rule({ title: 'a: b' }) }, 'rules/a.yaml:2:8 this is no YAML: Nested mappings'],
    [{ 'a.yaml': rule({ title: '17' }) }, 'rules/a.yaml:2:8 "title" is no text → Write a text, in quotes'],
    [{ 'a.yaml': rule({ title: '{{=pydata.a}} is wrong' }) }, 'rules/a.yaml:2:8'],
    [{ 'a.yaml': rule({ title: '"{{=pydata.a}} is wrong"' }) }, 'rules/a.yaml:2:9 nothing is filled into a title'],
    [{ 'a.yaml': rule({ when: '"1 + 1"' }) }, 'rules/a.yaml:6:8 "when" is int and no condition'],
    [
      { 'a.yaml': rule({ inputs: '{ lists: config/a.json }' }) },
      'rules/a.yaml:5:11 "lists" cannot be the name of an input',
    ],
    [{ 'a.yaml': rule({ inputs: '{ a: config/logs.txt }' }) }, 'rules/a.yaml:5:14 an input is a JSON file'],
    [{ 'a.yaml': rule({ inputs: '{ a: config/**/a.json }' }) }, 'rules/a.yaml:5:14 a path pattern knows "*" only'],
    [
      { 'a.yaml': rule({ details: '{ __proto__: "1" }' }) },
      'rules/a.yaml:8:12 "__proto__" cannot be the name of a detail',
    ],
    [{ 'a.yaml': rule({ details: '{ type: "1" }' }) }, 'rules/a.yaml:8:12 "type" cannot be the name of a detail'],
    [
      { 'a.yaml': rule({ samples: '{ fire: {} }' }) },
      'rules/a.yaml:8:12 "samples" has no member "fire" → Write "fires"',
    ],
    [
      { 'a.yaml': rule({ when: `version.a.matches('(?=x)')` }) },
      'rules/a.yaml:6:25 matches(): this is no linear regular expression',
    ],
    [{ 'a.yaml': '- a\n- b\n' }, 'rules/a.yaml:1:1 a rule is no mapping → Write members as "name: value"'],
    [{ 'a.yaml': '' }, 'rules/a.yaml:1:1 a rule is no mapping'],
    [{}, 'rules:1:1 the pack has no rules → Write one with "ccx rules new '],
  ];
  for (const [files, expected] of cases) {
    const faults = await faultsOf(packOf(files));
    assert.ok(
      faults.some((fault) => fault.startsWith(expected)),
      `${expected}\n${faults.join('\n')}`,
    );
  }
});

test('keys and names of packs are unique, also against our own rules; both files are named', async () => {
  const one = packOf({ 'a.yaml': rule() });
  const two = packOf({ 'b.yaml': rule() });
  const { faults } = await readPacks([one, two], names);
  assert.deepEqual(
    faults.map(({ file, problem }) => [relative(two, file), problem]),
    [
      ['pack.yaml', `a pack called "ours" is in ${join(one, 'pack.yaml')}, too`],
      ['rules/b.yaml', `A_RULE is in ${join(one, 'rules', 'a.yaml')}, too`],
    ],
  );
  const shadow = packOf({ 'a.yaml': rule({ key: 'MCP_SET_TO_PAUSE' }) });
  assert.deepEqual(await faultsOf(shadow), [
    'rules/a.yaml:1:6 MCP_SET_TO_PAUSE is a rule of this program → Give it another key',
  ]);
  for (const name of ['Ours', 'a-b', 'x'.repeat(41), '../a']) {
    const [fault] = await faultsOf(packOf({ 'a.yaml': rule() }, `name: ${name}\nversion: "1"\nowner: us\n`));
    assert.match(fault ?? '', /^pack\.yaml:1:7 ".*" cannot be the name of a pack → Write 1 to 40 lower case/);
  }
});

/** Each within its bound, and 33 of them past that of the pack. */
function largeFiles(): Readonly<Record<string, string>> {
  const text = `${rule()}# ${'x'.repeat(packLimits.fileBytesMax - 4_096)}`;
  return Object.fromEntries(Array.from({ length: 33 }, (_, at) => [`r${String(at).padStart(2, '0')}.yaml`, text]));
}

test('files that are too many, too large, too deep or full of aliases cost their pack only, and little time', async () => {
  const lists = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];
  const bomb = lists.map((name, at) => `${name}: &${name} [${Array(9).fill(at === 0 ? 'x' : `*${lists[at - 1]}`)}]`);
  const cases: readonly [Readonly<Record<string, string>>, RegExp][] = [
    [{ 'a.yaml': `${rule()}# ${'x'.repeat(packLimits.fileBytesMax)}` }, /the file has \d+ bytes/],
    [largeFiles(), /r32\.yaml:1:1 with this file the pack has more than 8 MiB → Make several packs/],
    [{ 'a.yaml': `samples: ${'['.repeat(100_000)}` }, /a\.yaml:1:\d+ brackets stand too deep/],
    [
      { 'a.yaml': rule({ samples: `{ fires: { a.json: ${'['.repeat(80)}${']'.repeat(80)} } }` }) },
      /stand too deep within each other/,
    ],
    [
      { 'a.yaml': `${rule()}samples:\n  fires:\n${bomb.map((line) => `    ${line}\n`).join('')}` },
      /more than 100 aliases are expanded/,
    ],
    [{ 'a.yaml': rule({ when: `"${'('.repeat(100)}true${')'.repeat(100)}"` }) }, /Exceeded maxDepth/],
    [{ 'a.yaml': rule({ when: `"${'true && '.repeat(3_000)}true"` }) }, /at most 8000 characters/],
    [
      Object.fromEntries(
        Array.from({ length: packLimits.rulesMax + 1 }, (_, at) => [`${at}.yaml`, rule({ key: `RULE_${at}` })]),
      ),
      /the pack has 501 rules → Make packs of at most 500/,
    ],
  ];
  for (const [files, expected] of cases) {
    const faults = await faultsOf(packOf(files));
    assert.ok(
      faults.some((fault) => expected.test(fault)),
      `${expected}\n${faults.slice(0, 5).join('\n')}`,
    );
  }
});

test('words that conditions cannot use for an input are refused, and end no service that reads packs while it runs', async () => {
  for (const name of ['__proto__', 'namespace', 'import', 'for', 'in', 'prototype', 'package']) {
    const [fault] = await faultsOf(
      packOf({ 'a.yaml': rule({ inputs: `{ version: config/a.json, ${name}: b.json }` }) }),
    );
    assert.match(
      fault ?? '',
      new RegExp(`^rules/a\\.yaml:5:35 "${name}" cannot be the name of an input → Write another`),
    );
  }
});

test('what a parser puts up with is refused all the same: aliases of nothing, tags, control characters, days that are none', async () => {
  const cases: readonly [string, string][] = [
    [rule({ samples: '{ fires: { config/a.json: *gone } }' }), '8:36 nothing before this is called "&gone"'],
    [rule({ title: '!!js/function "x"' }), '2:8 packs know no kinds of values beyond those of JSON'],
    [rule({ title: '"a\\u0000b"' }), '2:10 a control character stands here'],
    [`${rule()}\u0000\n`, '8:1 a control character stands here'],
    [rule({ publish_date: "'2026-02-30'" }), '8:15 there is no such day or time as 2026-02-30'],
    [rule({ samples: '{ fires: { a.json: { b: 1, "b": 2 } } }' }), '8:37 this member stands here twice'],
    [rule({ samples: '{ fires: { a.json: { 1: 1, "1": 2 } } }' }), '8:37 this member stands here twice'],
  ];
  for (const [text, expected] of cases) {
    const faults = await faultsOf(packOf({ 'a.yaml': text }));
    assert.ok(
      faults.some((fault) => fault.startsWith(`rules/a.yaml:${expected}`)),
      `${expected}\n${faults.join('\n')}`,
    );
  }
});

test('only UTF-8 is read, and a byte order mark moves no column', async () => {
  const folder = packOf({ 'a.yaml': `\ufeff${rule({ key: 'lower' })}` });
  assert.match((await faultsOf(folder))[0] ?? '', /^rules\/a\.yaml:1:6 "lower" cannot be the key/);
  for (const [bytes, place] of [
    [Buffer.from(rule({ title: 'f\u00fcr' }), 'latin1'), '2:9'],
    [Buffer.from(`\ufeff${rule()}`, 'utf16le'), '1:1'],
  ] as const) {
    writeFileSync(join(folder, 'rules', 'a.yaml'), bytes);
    assert.deepEqual(await faultsOf(folder), [`rules/a.yaml:${place} this is no UTF-8 → Save the file as UTF-8`]);
  }
});

test('a file of thousands of members or faults costs a moment, and names the first faults', async () => {
  const many = Array.from({ length: 20_000 }, (_, at) => `m${at}: 1\n`).join('');
  const startedMs = performance.now();
  const faults = await faultsOf(packOf({ 'a.yaml': many }));
  // Comparing each member with all others takes some 18 s.
  assert.ok(performance.now() - startedMs < 10_000);
  assert.equal(faults.length, 51);
  assert.match(faults.at(-1) ?? '', /there are more faults → Mend those before$/);
});

test('a folder that is named twice, or is a file, is told as that', async () => {
  const folder = packOf({ 'a.yaml': rule() });
  const { faults } = await readPacks([folder, folder], names);
  assert.deepEqual(
    faults.map((fault) => shown(fault, folder)),
    ['pack.yaml:1:1 this folder is named twice → Name it once'],
  );
  const [fault] = await faultsOf(join(folder, 'pack.yaml'));
  assert.match(fault ?? '', /^pack\.yaml:1:1 this is in no folder → Name the folder that holds pack\.yaml/);
});

test('links that leave the folder are not followed, those within it are, and a folder that anybody may write is warned of', async () => {
  const elsewhere = join(temporaryFolder(), 'secret.yaml');
  writeFileSync(elsewhere, rule());
  const folder = packOf({ 'a.yaml': rule() });
  symlinkSync(elsewhere, join(folder, 'rules', 'b.yaml'));
  assert.deepEqual(await faultsOf(folder), [
    'rules/b.yaml:1:1 this is a link that leads out of the folder → Put the file itself there',
  ]);

  // As Kubernetes mounts a ConfigMap.
  const mounted = packOf({});
  mkdirSync(join(mounted, '..data'));
  writeFileSync(join(mounted, '..data', 'a.yaml'), rule());
  symlinkSync(join('..', '..data', 'a.yaml'), join(mounted, 'rules', 'a.yaml'));
  const { set, faults } = await readPacks([mounted], names);
  assert.deepEqual([faults, set.source.rules.length, set.warnings], [[], 1, []]);

  chmodSync(join(mounted, 'rules'), 0o777);
  const { set: open } = await readPacks([mounted], names);
  assert.match(open.warnings[0] ?? '', /^anybody on this machine may write rules: .* \(rules\); take the right away/);

  const [missing] = await faultsOf(join(folder, 'nowhere'));
  assert.match(missing ?? '', /^pack\.yaml:1:1 there is no pack\.yaml → Name a folder/);
});
