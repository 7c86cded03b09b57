/** The launchers pass over an old Node, and keep compiled code where only this user writes, or nowhere. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { temporaryFolder } from '../../test/support/temporary-folder.ts';

const bin = dirname(fileURLToPath(import.meta.url));

function launch(launcher: string, args: readonly string[], env: Readonly<Record<string, string>>) {
  const path = env['PATH'] ?? process.env['PATH'] ?? '';
  const { status, stdout, stderr } = spawnSync(launcher, args, { env: { ...env, PATH: path }, encoding: 'utf8' });
  return { status, stdout, stderr };
}

test('compiled code is kept in the cache folder of the user', () => {
  const home = temporaryFolder();
  assert.equal(launch(join(bin, 'ccx'), ['--version'], { HOME: home }).status, 0);
  const folder = statSync(join(home, '.cache/ccx'));
  assert.equal(folder.mode & 0o777, 0o700);
  const other = temporaryFolder();
  launch(join(bin, 'ccx'), ['--version'], { HOME: home, XDG_CACHE_HOME: other });
  assert.ok(existsSync(join(other, 'ccx')));
});

test('each role starts with flags of Node that fit it, by either of its programs, whatever the environment says', () => {
  const folder = temporaryFolder();
  const node = join(folder, 'node');
  writeFileSync(node, '#!/bin/sh\nif [ "$1" = --version ]; then echo v24.99.0; else echo "$@"; fi\n');
  chmodSync(node, 0o755);
  const installed = join(folder, 'installed/src/bin');
  cpSync(bin, installed, { recursive: true });
  const env = { PATH: `${folder}${delimiter}${process.env['PATH']}`, flags: '--inspect' };
  const flagsOf = (name: string, ...args: string[]) =>
    launch(join(installed, name), args, env)
      .stdout.split(' ')
      .filter((word) => word.startsWith('--'));
  assert.deepEqual(flagsOf('ccx', 'data-pipeline'), ['--max-semi-space-size=8', '--v8-pool-size=1']);
  const ofSets = ['--max-semi-space-size=4', '--v8-pool-size=1'];
  for (const role of ['writer', 'notifier']) assert.deepEqual(flagsOf('ccx', role), ofSets);
  for (const name of ['ccx-notification-writer', 'ccx-notification-service']) assert.deepEqual(flagsOf(name), ofSets);
});

test('nothing is kept where it was switched off, or where the folder is not the user’s', () => {
  const home = temporaryFolder();
  const environments: Readonly<Record<string, string>>[] = [
    { HOME: home, NODE_DISABLE_COMPILE_CACHE: '1' },
    { HOME: join(home, 'missing') },
    { HOME: '/' },
    { HOME: home, XDG_CACHE_HOME: '/proc' },
  ];
  for (const env of environments) {
    const { status, stderr } = launch(join(bin, 'ccx'), ['--version'], env);
    assert.deepEqual({ status, stderr }, { status: 0, stderr: '' });
  }
  mkdirSync(join(home, 'elsewhere'));
  mkdirSync(join(home, '.cache'));
  symlinkSync(join(home, 'elsewhere'), join(home, '.cache/ccx'));
  assert.equal(launch(join(bin, 'ccx'), ['--version'], { HOME: home }).status, 0);
  assert.ok(!existsSync(join(home, 'missing')));
  assert.deepEqual(readdirSync(join(home, 'elsewhere')), [], 'nothing is written behind a link');
});

test('nothing is kept where others may write, or could put another folder in its place', () => {
  const hasRun = (home: string, xdg?: string) => {
    const { status, stderr } = launch(join(bin, 'ccx'), ['--version'], {
      HOME: home,
      ...(xdg === undefined ? {} : { XDG_CACHE_HOME: xdg }),
    });
    assert.deepEqual({ status, stderr }, { status: 0, stderr: '' });
    const cache = join(xdg ?? join(home, '.cache'), 'ccx');
    return existsSync(cache) && readdirSync(cache).length > 0;
  };
  const homeWith = (modes: Readonly<Record<string, number>>) => {
    const home = temporaryFolder();
    for (const [folder, mode] of Object.entries(modes)) {
      mkdirSync(join(home, folder), { recursive: true });
      chmodSync(join(home, folder), mode);
    }
    return home;
  };
  assert.ok(hasRun(homeWith({ '.': 0o755, '.cache': 0o755, '.cache/ccx': 0o755 })), 'others may read');
  for (const mode of [0o720, 0o702]) {
    const text = mode.toString(8);
    assert.ok(!hasRun(homeWith({ '.cache/ccx': mode })), `the folder: ${text}`);
    assert.ok(!hasRun(homeWith({ '.cache': mode })), `the one around it: ${text}`);
    assert.ok(!hasRun(homeWith({ '.': mode })), `the home: ${text}`);
    assert.ok(!hasRun(homeWith({}), homeWith({ '.': mode })), `XDG_CACHE_HOME: ${text}`);
  }
  assert.ok(process.getuid?.() !== 0 || !hasRun(foreign('.')), "somebody else's home");
  assert.ok(process.getuid?.() !== 0 || !hasRun(foreign('.cache')), "somebody else's folder around it");
  assert.ok(process.getuid?.() !== 0 || !hasRun(foreign('.cache/ccx')), "somebody else's folder");

  function foreign(folder: string): string {
    const home = homeWith({ '.cache/ccx': 0o755 });
    chownSync(join(home, folder), 12_345, 12_345);
    return home;
  }
});

test('the folders that are made are the user’s alone, whatever its umask is', () => {
  const home = temporaryFolder();
  const command = `umask 0; exec "$0" --version`;
  assert.equal(launch('/bin/sh', ['-c', command, join(bin, 'ccx')], { HOME: home }).status, 0);
  for (const folder of ['.cache', '.cache/ccx']) assert.equal(statSync(join(home, folder)).mode & 0o777, 0o700, folder);
  assert.ok(readdirSync(join(home, '.cache/ccx')).length > 0);
});

test('ingress gets little room for new objects, unless NODE_OPTIONS says how much; the all-in-one what Node gives', () => {
  const root = join(temporaryFolder(), 'checkout');
  cpSync(bin, join(root, 'src/bin'), { recursive: true });
  writeFileSync(join(root, 'src/cli.ts'), 'console.log(process.execArgv.join(" "));');
  const flagsOf = (args: readonly string[], env: Readonly<Record<string, string>> = {}) => {
    const PATH = [dirname(process.execPath), '/usr/bin', '/bin'].join(delimiter);
    const { stdout, stderr } = launch(join(root, 'src/bin/ccx'), args, { PATH, flags: '--no-such-flag', ...env });
    return `${stdout}${stderr}`.trim();
  };
  assert.equal(flagsOf(['ingress', '--port', '1']), '--max-semi-space-size=2');
  assert.equal(flagsOf(['ingress'], { NODE_OPTIONS: '--max-semi-space-size=8' }), '');
  assert.equal(flagsOf(['all-in-one']), '');
  assert.equal(flagsOf([]), '');
});

test('a Node that is too old, or does not run, is passed over', () => {
  const folder = temporaryFolder();
  const root = join(folder, 'checkout');
  cpSync(bin, join(root, 'src/bin'), { recursive: true });
  writeFileSync(join(root, 'src/cli.ts'), 'console.log(process.env["CCX_ARGV0"]);');
  const fake = (path: string, text: string) => {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, `#!/bin/sh\n${text}\n`);
    chmodSync(path, 0o755);
  };
  fake(join(root, 'node_modules/.bin/node'), 'exit 127');
  const withNewNode = launch(join(root, 'src/bin/ccx'), [], {
    PATH: [dirname(process.execPath), '/usr/bin', '/bin'].join(delimiter),
  });
  assert.deepEqual(withNewNode, { status: 0, stdout: 'ccx\n', stderr: '' });

  fake(join(folder, 'old/node'), 'echo v20.19.0');
  const onlyOld = launch(join(root, 'src/bin/ccx'), [], {
    PATH: [join(folder, 'old'), '/usr/bin', '/bin'].join(delimiter),
  });
  assert.equal(onlyOld.status, 1);
  assert.match(onlyOld.stderr, /^ccx: needs Node\.js 24 or newer/);
});
