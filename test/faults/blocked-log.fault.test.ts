/**
 * Whoever reads the log of a process stops reading, and goes on later, or goes away. No work waits for that, nor does the end of the process;
 * lines that find no room are lost, and how many is said. Ingress shows it, which writes the most; all roles write their lines in the same way.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type TestContext, test } from 'node:test';
import { HEADER_REQUEST_ID } from '../../src/contracts/topics.ts';
import { BOUNDARY, filePart, form, metadataPart, send, userIdentity } from '../support/ingress-bench.ts';
import { startIngressRole } from '../support/ingress-role.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { until } from '../support/until.ts';

/** Together far more lines than wait in memory and in the pipe. */
const uploadsMany = 7_000;
/** As many as fill the pipe. */
const uploadsSome = 1_000;
const clients = 8;
const exitMsMax = 30_000;

async function startRole(t: TestContext) {
  const context = await createTestDatabase();
  t.after(() => context.drop());
  const { role, url } = await startIngressRole({ storagePath: temporaryFolder(), databaseUrl: context.url });
  t.after(() => role.kill('SIGKILL'));
  let begun = 0;
  const upload = async () => {
    begun += 1;
    const answer = await send(`${url}/api/ingress/v1/upload`, {
      method: 'POST',
      headers: {
        'content-type': `multipart/form-data; boundary=${BOUNDARY}`,
        'x-rh-identity': userIdentity,
        [HEADER_REQUEST_ID]: `log-${begun}`,
      },
      body: form([filePart('an archive'), metadataPart({})]),
    });
    assert.equal(answer.status, 202, answer.text);
  };
  const uploadAll = (count: number) => {
    const last = begun + count;
    const client = async () => {
      while (begun < last) await upload();
    };
    return Promise.all(Array.from({ length: clients }, client));
  };
  return { role, log: role.child.stdout!, uploadAll };
}

test('G26: while nobody reads the log uploads are answered as ever, and how many lines were lost is said', async (t) => {
  const { role, log, uploadAll } = await startRole(t);
  log.pause();
  await uploadAll(uploadsMany);
  log.resume();
  await until(() => /"lines":\d+,"msg":"nobody read this log/.test(role.stdout()));
  const lost = Number(/"lines":(\d+),"msg":"nobody read/.exec(role.stdout())![1]);
  const lines = role.stdout().trim().split('\n');
  for (const line of lines) assert.doesNotThrow(() => JSON.parse(line), line);
  assert.ok(lost > 0 && lines.length > uploadsSome);
  t.diagnostic(`${lines.length} lines came, ${lost} were lost`);
  const before = lines.length;
  await uploadAll(10);
  await until(() => role.stdout().trim().split('\n').length >= before + 10);
  role.kill('SIGTERM');
  assert.equal((await role.exited(exitMsMax)).code, 0);
});

test('G26: a process whose log nobody reads ends all the same, and goes on where the reader has gone', async (t) => {
  const { role, log, uploadAll } = await startRole(t);
  log.pause();
  await uploadAll(uploadsSome);
  const ended = once(role.child, 'exit', { signal: AbortSignal.timeout(exitMsMax) });
  role.kill('SIGTERM');
  assert.deepEqual(await ended, [0, null]);

  const other = await startRole(t);
  other.log.destroy();
  await other.uploadAll(20);
  const end = once(other.role.child, 'exit', { signal: AbortSignal.timeout(exitMsMax) });
  other.role.kill('SIGTERM');
  assert.deepEqual(await end, [0, null]);
});
