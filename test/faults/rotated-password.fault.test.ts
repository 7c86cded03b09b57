/**
 * The password of the database is rotated under five roles that read it from a file, as Kubernetes and Vault Agent keep one: once the server
 * is ahead of the file, once both change together. Nobody is started again, nothing is lost, nothing is told twice, no password is shown.
 */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { connectDatabase } from '../../src/platform/database/connect-database.ts';
import { createRoles, type RunningRole, roleNames } from '../support/separate-roles.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { until } from '../support/until.ts';

/** Only a failing test waits so long. */
const flowMsMax = 120_000;

test('F8, G22: five roles take a password that is rotated, and each says meanwhile that it is refused', async (t) => {
  const urlFile = join(temporaryFolder(), 'url');
  const roles = await createRoles({ seed: 'rotation', urlFile });
  const admin = connectDatabase({ url: roles.databaseUrl, applicationName: 'rotation' });
  const user = `role_${randomUUID().replaceAll('-', '')}`;
  t.after(async () => {
    await roles.remove();
    await admin.query(`DROP ROLE ${user}`).catch(() => undefined);
    await admin.close();
  });
  const passwords: string[] = [];
  await admin.query(`CREATE ROLE ${user} LOGIN SUPERUSER`);
  const changeOnServer = async () => {
    passwords.push(randomUUID());
    await admin.query(`ALTER ROLE ${user} PASSWORD '${passwords.at(-1)}'`);
  };
  /** As whoever keeps such a file does it: all at once. */
  const changeInFile = () => {
    const url = new URL(roles.databaseUrl);
    url.username = user;
    url.password = passwords.at(-1)!;
    writeFileSync(`${urlFile}.new`, `${url.href}\n`);
    renameSync(`${urlFile}.new`, urlFile);
  };
  const endSessions = () =>
    admin.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1', [user]);
  await changeOnServer();
  changeInFile();

  const started: RunningRole[] = [await roles.start('writer')];
  started.push(...(await Promise.all(roleNames.filter((name) => name !== 'writer').map((name) => roles.start(name)))));
  /** Ingress is ready without its bus, and has it as a note. */
  const answerOf = async ({ readyUrl }: RunningRole) => {
    const answer = await fetch(readyUrl);
    return { ready: answer.status === 200, said: await answer.text() };
  };
  const areReady = async () =>
    (await Promise.all(started.map(answerOf))).every(({ ready, said }) => ready && !/refuses user/.test(said));
  await until(areReady);
  assert.ok(await roles.upload());
  assert.deepEqual(await roles.complaints(flowMsMax), []);

  await changeOnServer();
  await endSessions();
  // Ingress meets it with the first announcement, which it then keeps.
  for (let count = 0; count < 3; count += 1) await roles.upload();
  for (const role of started) await until(async () => /refuses user/.test((await answerOf(role)).said));
  changeInFile();
  await until(areReady);
  await roles.uploadAgain();
  assert.deepEqual(await roles.complaints(flowMsMax), []);

  await changeOnServer();
  changeInFile();
  await endSessions();
  await roles.upload();
  await until(areReady);
  await roles.uploadAgain();
  assert.deepEqual(await roles.complaints(flowMsMax), []);

  for (const { name, process } of started) {
    assert.equal(process.child.exitCode, null, name);
    const said = process.stdout() + process.stderr();
    for (const password of passwords) assert.ok(!said.includes(password), `${name} shows a password`);
  }
  await roles.stopRoles();
  await admin.query(`REASSIGN OWNED BY ${user} TO CURRENT_USER`);
});
