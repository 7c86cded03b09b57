/** An installation starts and does its work on a machine without a network: in a network namespace that has nothing but 127.0.0.1. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { baseEnvironment } from '../support/base-environment.ts';
import { installationRoot } from '../support/ccx-process.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const runMsMax = 120_000;

function withoutNetwork(script: string, ...args: readonly string[]) {
  const namespace = process.getuid?.() === 0 ? ['--net'] : ['--net', '--map-root-user'];
  return spawnSync('unshare', [...namespace, 'sh', '-euc', `ip link set lo up; ${script}`, ...args], {
    ...{ encoding: 'utf8', timeout: runMsMax, maxBuffer: 16 * 1024 ** 2 },
    env: { ...baseEnvironment(), PATH: `${process.env['PATH']}:/usr/sbin:/sbin` },
  });
}

const { status, stderr } = withoutNetwork('true');
const required = process.env['CI'] !== undefined || process.env['CCX_REQUIRE_AIR_GAP'] === '1';
const skip = status === 0 || required ? false : `no network namespace can be made here: ${stderr.trim()}`;

test('the all-in-one takes an archive through every service without a network', { skip }, () => {
  const routes = withoutNetwork('ip -oneline route show table all type unicast; ip -oneline link show');
  assert.match(routes.stdout, /^1: lo: [^\n]*\n$/, 'there is nothing but the machine itself');
  const data = join(temporaryFolder(), 'data');
  const args = ['all-in-one', '--once', '--demo', '--json', '--port', '0', '--data', data];
  const run = withoutNetwork('exec "$0" "$@"', join(installationRoot(), 'src/bin/ccx'), ...args);
  assert.equal(run.status, 0, run.stderr);
  const { notifications } = JSON.parse(run.stdout) as { readonly notifications: Readonly<Record<string, number>> };
  assert.ok(
    Object.values(notifications).every((count) => count > 0),
    run.stdout,
  );
});
