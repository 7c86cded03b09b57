/** Which file the drop-in programs read, and that each format that can be read is. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '../../../test/support/temporary-folder.ts';
import { loadConfig } from '../config/load-config.ts';
import { defineOptions } from '../config/options.ts';
import { findReferenceConfig, loadReferenceConfig } from './reference-config.ts';

const folder = temporaryFolder();
mkdirSync(join(folder, 'sub'));

const contents = {
  json: '{"Storage":{"PG_Port":"77"}}',
  toml: '[storage]\npg_port = 77',
  yaml: 'storage:\n  pg_port: 77\n',
  yml: 'storage: {pg_port: 77}',
};
const write = (name: string, text: string) => writeFileSync(join(folder, name), text);
const table = defineOptions({
  name: 't',
  envPrefix: 'T',
  options: { 'storage.pg_port': { type: 'integer', default: 0, description: 'port' } },
});

test('every readable format says the same', () => {
  for (const [extension, text] of Object.entries(contents)) {
    write(`format-${extension}.${extension}`, text);
    const { path } = findReferenceConfig(`./format-${extension}`, folder);
    assert.equal(loadConfig(table, { env: {}, file: path! }).config['storage.pg_port'], 77, extension);
  }
});

test('the extension of the name does not count, the order of extensions does', () => {
  write('both.toml', contents.toml);
  write('both.json', contents.json);
  assert.deepEqual(findReferenceConfig('./both.toml', folder), { name: 'both', path: join(folder, 'both.json') });
  assert.deepEqual(findReferenceConfig(join(folder, 'both'), '/'), { name: 'both', path: join(folder, 'both.json') });
});

test('writer Q3, service Q20: a name without a folder is looked for in the current one', () => {
  write('plain.toml', contents.toml);
  assert.equal(findReferenceConfig('plain.toml', folder).path, join(folder, 'plain.toml'));
  assert.equal(findReferenceConfig('sub/../plain', folder).path, join(folder, 'plain.toml'));
});

test('a file that is named must be there, an unnamed one need not', () => {
  for (const named of ['./missing', '', 'sub/both', '/nowhere/config.toml']) {
    assert.throws(
      () => findReferenceConfig(named, folder),
      /^CcxError: fatal error config file: Config File "\w*" Not Found in "/,
    );
  }
  assert.deepEqual(findReferenceConfig(undefined, folder), { name: 'config' });
  write('config.yaml', contents.yaml);
  assert.deepEqual(findReferenceConfig(undefined, folder), { name: 'config', path: join(folder, 'config.yaml') });
});

test('a file that cannot be read says how it should be written', () => {
  write('properties-file.properties', 'a=b');
  assert.throws(() => findReferenceConfig('./properties-file', folder), /properties cannot be read/);
  for (const [name, text] of [
    ['broken.toml', 'x = ['],
    ['broken.json', '{'],
    ['list.yaml', '- a'],
  ] as const) {
    write(name, text);
    assert.throws(
      () => loadConfig(table, { env: {}, file: join(folder, name) }),
      /fatal error config file: While parsing config:/,
      name,
    );
  }
  write('empty.yaml', '');
  assert.equal(loadConfig(table, { env: {}, file: join(folder, 'empty.yaml') }).config['storage.pg_port'], 0);
});

test('an empty JSON file is refused, as the reference refuses it; empty in the other formats says nothing', async () => {
  const load = (name: string, text: string) => {
    write(name, text);
    return loadReferenceConfig(table, { env: {}, file: { name, path: join(folder, name) }, section: 'broker' });
  };
  await assert.rejects(
    load('nothing.json', '\n'),
    /fatal error config file: While parsing config: .*: no JSON: it ends too early/,
  );
  for (const name of ['nothing.toml', 'nothing.yaml'])
    assert.equal((await load(name, '\n')).loaded.config['storage.pg_port'], 0, name);
});
