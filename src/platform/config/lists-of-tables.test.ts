/** Lists of tables in a file: entries with keys of their own, secrets from files, and errors that name the line. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Command } from 'commander';
import { temporaryFile } from '../../../test/support/temporary-folder.ts';
import { CcxError } from '../../encoding/ccx-error.ts';
import { addTableOptions, describeConfig } from './command-flags.ts';
import { loadConfig } from './load-config.ts';
import { defineOptions } from './options.ts';

const table = defineOptions({
  name: 'example',
  envPrefix: 'EXAMPLE',
  options: { 'delivery.lease': { type: 'duration', default: 1_000, description: 'lease' } },
  lists: {
    receivers: {
      description: 'Whom to notify',
      options: {
        name: { type: 'string', default: '', description: 'its name', required: true },
        type: { type: 'string', default: 'webhook', choices: ['webhook', 'email'], description: 'what it is' },
        url: { type: 'string', default: '', description: 'where it is', secret: true },
        cooldown: { type: 'duration', default: 60_000, description: 'cooldown' },
      },
    },
  },
});

const fileOf = (text: string, name = 'config.toml') => temporaryFile(name, text);

function refusal(text: string, name?: string): CcxError {
  try {
    loadConfig(table, { env: {}, file: fileOf(text, name) });
  } catch (error) {
    assert.ok(error instanceof CcxError);
    return error;
  }
  assert.fail('it was accepted');
}

test('entries come in the order of the file, with the defaults of their keys', () => {
  const secret = fileOf('https://example.com/hook\n', 'url');
  const { lists, settings, warnings } = loadConfig(table, {
    env: {},
    file: fileOf(`
      [delivery]
      lease = "2s"
      [[receivers]]
      name = "pager"
      url_file = "${secret}"
      [[receivers]]
      name = "mail"
      type = "email"
      cooldown = "1h"
    `),
  });
  assert.deepEqual(lists.receivers, [
    {
      name: 'pager',
      type: 'webhook',
      url: 'https://example.com/hook',
      url_file: secret,
      cooldown: 60_000,
      given: ['name', 'url_file'],
    },
    { name: 'mail', type: 'email', url: '', url_file: '', cooldown: 3_600_000, given: ['name', 'type', 'cooldown'] },
  ]);
  assert.equal(settings.delivery.leaseMs, 2_000);
  assert.deepEqual(warnings, []);
  assert.deepEqual(loadConfig(table, { env: {} }).lists.receivers, [], 'without a file there are none');
});

test('a JSON file may hold them too', () => {
  const file = fileOf('{"receivers":[{"name":"pager"}]}', 'config.json');
  assert.equal(loadConfig(table, { env: {}, file }).lists.receivers[0]?.name, 'pager');
});

test('an unknown key has its line in YAML and JSON, too', () => {
  const yaml = fileOf('receivers:\n  - name: a\n  - name: b\n    ulr: x\n', 'config.yaml');
  const json = fileOf('{"receivers": [\n{"name": "a",\n"ulr": "x"}]}', 'lines.json');
  assert.throws(
    () => loadConfig(table, { env: {}, file: yaml }),
    /unknown key ulr of \[\[receivers\]\] 2 in .*, line 4$/,
  );
  assert.throws(
    () => loadConfig(table, { env: {}, file: json }),
    /unknown key ulr of \[\[receivers\]\] 1 in .*, line 3$/,
  );
});

const broken: Readonly<Record<string, readonly [text: string, wanted: RegExp]>> = {
  'an unknown key, with its line': [
    '[[receivers]]\nname = "a"\n\n[[receivers]]\nname = "b"\nulr = "x"\n',
    /unknown key ulr of \[\[receivers\]\] 2 in .*, line 6$/,
  ],
  'an unknown table inside': [
    '[[receivers]]\nname = "a"\n[receivers.headers]\nx = "y"\n',
    /unknown key headers of .* 1 in .*, line 3$/,
  ],
  'a value of the wrong kind': [
    '[[receivers]]\nname = "a"\ncooldown = "soon"\n',
    /cooldown of .*, line 3 cannot be read/,
  ],
  'a value that is none of the choices': [
    '[[receivers]]\nname = "a"\ntype = "fax"\n',
    /type of .*, line 3 must be one of/,
  ],
  'a missing key': ['[[receivers]]\ntype = "email"\n', /\[\[receivers\]\] 1 in .* has no name$/],
  'a text in place of a list': ['receivers = "pager"\n', /^receivers in .* is no list of tables$/],
  'a table in place of a list': ['[receivers]\nname = "a"\n', /^receivers in .* is no list of tables$/],
  'an empty table in place of a list': ['[Receivers]\n', /^receivers in .* is no list of tables$/],
  'a list of something else': ['receivers = [["a"], 1979-05-27]\n', /^receivers in .* is no list of tables$/],
  'a name that another has': [
    '[[receivers]]\nname = "a"\n[[receivers]]\nname = "b"\n[[receivers]]\nname = "a"\n',
    /^name of \[\[receivers\]\] 3 in .*, line 6 is the one of \[\[receivers\]\] 1: "a"$/,
  ],
  'an empty name': ['[[receivers]]\nname = ""\n', /\[\[receivers\]\] 1 in .* has no name$/],
  'a secret that is given twice': [
    '[[receivers]]\nname = "a"\nurl = "hunter2"\nurl_file = "/x"\n',
    /^url_file of .*, line 4 is given beside url$/,
  ],
  'a path that is none': [
    '[[receivers]]\nname = "a"\nurl_file = ["x"]\n',
    /^url_file of .*, line 3 is no path of a file$/,
  ],
};

test('what is no list in JSON and YAML is an error, too; an empty list is one', () => {
  for (const text of [
    '{"receivers": null}',
    '{"receivers": {}}',
    '{"receivers": {"name": "a"}}',
    '{"receivers": [null]}',
  ])
    assert.match(refusal(text, 'config.json').message, /^receivers in .* is no list of tables$/, text);
  assert.match(refusal('receivers:\n', 'config.yaml').message, /^receivers in .* is no list of tables$/);
  assert.deepEqual(loadConfig(table, { env: {}, file: fileOf('receivers = []') }).lists.receivers, []);
});

for (const [what, [text, wanted]] of Object.entries(broken)) {
  test(`${what} is an error`, () => {
    const error = refusal(text);
    assert.match(error.message, wanted);
    assert.equal(error.category, 'configuration');
  });
}

test('secrets of entries are masked, and the help names the keys', () => {
  const loaded = loadConfig(table, { env: {}, file: fileOf('[[receivers]]\nname = "a"\nurl = "https://hunter2/"\n') });
  const lines = describeConfig(table, loaded);
  assert.deepEqual(
    lines.filter(({ key }) => key.startsWith('receivers')).map(({ key, value }) => `${key} ${value}`),
    ['receivers[0].name "a"', 'receivers[0].type "webhook"', 'receivers[0].url (set)', 'receivers[0].cooldown 1m'],
  );
  assert.doesNotMatch(JSON.stringify(lines), /hunter2/);
  let help = '';
  const command = addTableOptions(new Command('example'), table).configureOutput({
    writeOut: (text) => (help += text),
  });
  command.outputHelp();
  assert.match(help, /\[\[receivers\]\] {2}Whom to notify\n {6}name: its name \(string, required\)/);
  assert.match(help, /url: where it is \(string; secret: also from the file that url_file names\)/);
});

test('of a file that several roles share, each reads its section', () => {
  const file = fileOf(
    '[run]\nport = 1\n[example.delivery]\nlease = "3s"\n[[example.receivers]]\nname = "a"\n[example.x]\ny = 1\n',
  );
  const loaded = loadConfig(table, { env: {}, file, section: 'example' });
  assert.equal(loaded.settings.delivery.leaseMs, 3_000);
  assert.equal(loaded.lists.receivers[0]?.name, 'a');
  assert.deepEqual(loaded.warnings, [`${file}: unknown key example.x.y is ignored`]);
  const others = loadConfig(table, { env: {}, file, othersSections: ['example'] });
  assert.equal(others.settings.delivery.leaseMs, 1_000);
  assert.deepEqual(others.warnings, [`${file}: unknown key run.port is ignored`]);
});
