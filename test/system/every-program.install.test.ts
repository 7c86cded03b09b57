/**
 * Every program of an installation in production, which has what `npm ci --omit=dev` brings and nothing else: it starts there and does its
 * work. `CCX_TEST_INSTALLATION` names the installation; the five roles on a Kafka have a test of their own, which reads it as well.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { promisify } from 'node:util';
import { baseEnvironment } from '../support/base-environment.ts';
import { installationRoot, runCcx, startCcx } from '../support/ccx-process.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const run = promisify(execFile);
/** Only a failing test waits so long. */
const startMsMax = 60_000;

const root = installationRoot();
const skip = existsSync(join(root, 'node_modules/typescript')) && 'CCX_TEST_INSTALLATION names no production install';

describe('an installation without development packages', { skip }, () => {
  const folder = temporaryFolder();

  test('ccx all-in-one takes an archive through every service and notifies', async () => {
    const { code, stdout, stderr } = await runCcx(
      ['all-in-one', '--once', '--demo', '--json', '--port', '0', '--data', join(folder, 'data')],
      {},
    );
    assert.equal(code, 0, stderr);
    const { notifications } = JSON.parse(stdout) as { readonly notifications: Readonly<Record<string, number>> };
    assert.ok(
      Object.values(notifications).every((count) => count > 0),
      stdout,
    );
  });

  test('ccx content serves the rules', async () => {
    const role = startCcx({ args: ['content', '--address', '127.0.0.1:0'] });
    const [, url] = await role.waitForOutput(/"url":"(http[^"]+)"/, startMsMax);
    const answer = await fetch(`${url}/api/v1/info`);
    assert.equal(answer.status, 200);
    await answer.body?.cancel();
    role.kill('SIGTERM');
    assert.equal((await role.exited(startMsMax)).code, 0);
  });

  test('each command shows its help, and each drop-in program its version', async () => {
    const { stdout } = await runCcx(['--help']);
    const commands = [...stdout.matchAll(/^ {2}([a-z][a-z-]+) /gm)].map((match) => match[1]!);
    assert.ok(commands.length >= 8, stdout);
    for (const name of commands.filter((command) => command !== 'help')) {
      assert.match((await runCcx([name, '--help'])).stdout, /^Usage: ccx /);
    }
    const options = { cwd: root, env: baseEnvironment() };
    const writer = await run(join(root, 'src/bin/ccx-notification-writer'), ['--version'], options);
    assert.match(writer.stdout, /CCX Notification Writer version/);
    const service = await run(join(root, 'src/bin/ccx-notification-service'), ['--show-version'], options);
    assert.match(service.stdout, /version/i);
  });
});
