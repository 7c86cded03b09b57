/** Which source of a setting wins, how bad values are refused, and the drop-ins' rules on environment variables. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { temporaryFile } from '../../../test/support/temporary-folder.ts';
import { CcxError, errorText } from '../../encoding/ccx-error.ts';
import { describeConfig } from './command-flags.ts';
import { loadConfig } from './load-config.ts';
import { defineOptions } from './options.ts';

const table = defineOptions({
  name: 'example',
  envPrefix: 'EXAMPLE',
  options: {
    'broker.addresses': { type: 'string', default: 'localhost:9092', description: 'where', flag: 'broker' },
    'broker.tags': { type: 'list', default: [], description: 'tags', envCounts: 'in-file' },
    'storage.pg_port': {
      type: 'integer',
      default: 5432,
      description: 'port',
      min: 1,
      max: 65535,
      envCounts: 'known-key',
    },
    'storage.pg_password': { type: 'string', default: '', description: 'password', secret: true },
    'limits.size': { type: 'bytes', as: 'limits.bytesMax', default: 1024, description: 'size' },
    'limits.wait': { type: 'duration', default: 60_000, description: 'wait' },
    'statuses.topic': { type: 'string', as: 'statusesTopic', off: 'none', default: 'statuses', description: 'topic' },
    'start.at': {
      type: 'string',
      as: 'startAt',
      default: 'earliest',
      choices: ['earliest', 'latest'],
      description: 'where',
    },
  },
});

function withFile<T>(text: string, work: (path: string) => T): T {
  return work(temporaryFile('config.toml', text));
}

function refusal(work: () => unknown): CcxError {
  try {
    work();
  } catch (error) {
    assert.ok(error instanceof CcxError);
    return error;
  }
  throw new Error('nothing was refused');
}

test('without any source every option has its default', () => {
  const { config, origin } = loadConfig(table, { env: {} });
  assert.equal(config['broker.addresses'], 'localhost:9092');
  assert.equal(config['limits.wait'], 60_000);
  assert.equal(origin['broker.addresses'], 'default');
});

test('a flag beats the environment, which beats the file', () => {
  withFile('[broker]\naddresses = "file"', (file) => {
    const env = { EXAMPLE__BROKER__ADDRESSES: 'environment' };
    assert.equal(loadConfig(table, { env: {}, file }).config['broker.addresses'], 'file');
    assert.equal(loadConfig(table, { env, file }).config['broker.addresses'], 'environment');
    const flagged = loadConfig(table, { env, file, flags: { 'broker.addresses': 'flag' } });
    assert.equal(flagged.config['broker.addresses'], 'flag');
    assert.equal(flagged.origin['broker.addresses'], 'flag');
  });
});

test('an empty environment variable counts as unset', () => {
  assert.equal(
    loadConfig(table, { env: { EXAMPLE__BROKER__ADDRESSES: '' } }).config['broker.addresses'],
    'localhost:9092',
  );
});

test('keys of the file are case-insensitive, unknown ones are warned about', () => {
  withFile('[Storage]\nPG_Port = "0x10"\nother = 1', (file) => {
    const loaded = loadConfig(table, { env: {}, file });
    assert.equal(loaded.config['storage.pg_port'], 16);
    assert.match(loaded.warnings.join(), /storage\.other/);
  });
});

test('a key that is there without a value is not set, but known; a section without anything is nothing', () => {
  const files = {
    'blank.yaml': 'storage:\n  pg_port:\nbroker:\n  tags: ~\nlimits:\n',
    'null.json': '{"storage":{"pg_port":null},"broker":{"tags":null},"limits":null}',
  };
  for (const [name, text] of Object.entries(files)) {
    const file = temporaryFile(name, text);
    const { config, origin, warnings } = loadConfig(table, { env: {}, file });
    assert.deepEqual([config['storage.pg_port'], config['broker.tags'], warnings], [5432, [], []]);
    assert.equal(origin['storage.pg_port'], 'default');
    const env = { EXAMPLE__STORAGE__PG_PORT: '6543', EXAMPLE__BROKER__TAGS: 'a,b' };
    const ofEnvironment = loadConfig(table, { env, file }).config;
    assert.deepEqual([ofEnvironment['storage.pg_port'], ofEnvironment['broker.tags']], [6543, ['a', 'b']]);
  }
});

test('tables of YAML may be merged into others', () => {
  const text = 'base: &base\n  pg_port: 7\n  pg_password: a\nstorage:\n  <<: *base\n  pg_password: b\n';
  const { config } = loadConfig(table, { env: {}, file: temporaryFile('merge.yaml', text) });
  assert.deepEqual([config['storage.pg_port'], config['storage.pg_password']], [7, 'b']);
});

test('drop-in rule: a list from the environment counts only if the file lists it', () => {
  const env = { EXAMPLE__BROKER__TAGS: 'a,b' };
  assert.deepEqual(loadConfig(table, { env }).config['broker.tags'], []);
  withFile('[broker]\ntags = []', (file) => {
    assert.deepEqual(loadConfig(table, { env, file }).config['broker.tags'], ['a', 'b']);
  });
});

test('drop-in rule: a scalar from the environment counts without a file, or if the file lists it', () => {
  const env = { EXAMPLE__STORAGE__PG_PORT: '6543' };
  assert.equal(loadConfig(table, { env }).config['storage.pg_port'], 6543);
  withFile('[broker]', (file) => assert.equal(loadConfig(table, { env, file }).config['storage.pg_port'], 5432));
  withFile('[storage]\npg_port = 1', (file) => {
    assert.equal(loadConfig(table, { env, file }).config['storage.pg_port'], 6543);
  });
});

test('a secret may come from the file that *_FILE names, and is never shown', () => {
  withFile('s3cret\n', (path) => {
    const loaded = loadConfig(table, { env: { EXAMPLE__STORAGE__PG_PASSWORD_FILE: path } });
    assert.equal(loaded.config['storage.pg_password'], 's3cret');
    const line = describeConfig(table, loaded).find((entry) => entry.key === 'storage.pg_password');
    assert.equal(line?.value, '(set)');
  });
});

test('a value that cannot be read is refused with the name of the setting', () => {
  const error = refusal(() => loadConfig(table, { env: { EXAMPLE__STORAGE__PG_PORT: 'many' } }));
  assert.equal(error.code, 'CONFIG_INVALID');
  assert.match(error.message, /EXAMPLE__STORAGE__PG_PORT/);
  assert.match(error.hint ?? '', /EXAMPLE__STORAGE__PG_PORT/);
});

test('a bad secret is refused without being shown', () => {
  const error = refusal(() => loadConfig(table, { env: { EXAMPLE__STORAGE__PG_PASSWORD_FILE: '/nonexistent/file' } }));
  assert.equal(error.code, 'CONFIG_SECRET_FILE');
});

test('values outside their bounds are refused', () => {
  assert.match(
    refusal(() => loadConfig(table, { env: { EXAMPLE__STORAGE__PG_PORT: '65536' } })).message,
    /at most 65535/,
  );
  assert.equal(loadConfig(table, { env: { EXAMPLE__STORAGE__PG_PORT: '65535' } }).config['storage.pg_port'], 65535);
});

test('settings come straight from the rows, nested and named for their service', () => {
  const { config, settings } = loadConfig(table, {
    env: { EXAMPLE__LIMITS__SIZE: '2KiB', EXAMPLE__STATUSES__TOPIC: 'None', EXAMPLE__START__AT: 'latest' },
  });
  assert.equal(config['limits.size'], 2048);
  const startAt: 'earliest' | 'latest' = settings.startAt;
  assert.deepEqual(settings, {
    broker: { addresses: 'localhost:9092', tags: [] },
    storage: { pgPort: 5432, pgPassword: '' },
    limits: { bytesMax: 2048, waitMs: 60_000 },
    statusesTopic: '',
    startAt,
  });
  assert.equal(startAt, 'latest');
});

test('a file that is missing or is not TOML is one clear error', () => {
  assert.equal(refusal(() => loadConfig(table, { env: {}, file: '/nonexistent.toml' })).code, 'CONFIG_FILE');
  withFile('= broken', (file) =>
    assert.match(refusal(() => loadConfig(table, { env: {}, file })).message, /fatal error config file/),
  );
});

const secret = 'hunter2-must-not-be-shown';
const broken: Readonly<Record<string, readonly [string, RegExp]>> = {
  'config.toml': [`[storage]\npg_password = ${secret}" # ${secret}\n`, /: no TOML at line 2, column \d+$/],
  'config.json': [`{"storage":{"pg_password":${secret}}}`, /: no JSON( at line \d+, column \d+)?$/],
  'config.yaml': [
    `storage:\n  pg_password: "${secret}\n  x: ${secret}\n`,
    /: no YAML at line \d+, column \d+ \([A-Z_]+\)$/,
  ],
  'alias.yaml': [`storage:\n  pg_password: *${secret}\n`, /: no YAML: an alias has no anchor; /],
};
for (const [name, [text, message]] of Object.entries(broken)) {
  test(`an error of syntax in ${name} names its place and quotes nothing`, () => {
    const file = temporaryFile(name, text);
    const error = refusal(() => loadConfig(table, { env: {}, file }));
    assert.match(error.message, message);
    assert.doesNotMatch(errorText(error) + inspect(error), new RegExp(secret));
  });
}
