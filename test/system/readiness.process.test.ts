/** /ready while PostgreSQL does not answer: in time, from everywhere, and without a word about this machine's folders. */
import assert from 'node:assert/strict';
import { readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { whyNoInstallation } from '../support/data-folder.ts';
import { type Installation, startInstallation } from '../support/installation.ts';
import { descendantsOf } from '../support/process-tree.ts';

/** One after the other the probes took 14 s; a probe of Kubernetes is given a few. */
const answerMsMax = 5_000;

describe('readiness of a whole installation', { skip: whyNoInstallation() }, () => {
  let system: Installation;
  before(async () => {
    system = await startInstallation();
  });
  after(() => system?.end());

  async function ask(url: string): Promise<{ readonly status: number; readonly text: string; readonly ms: number }> {
    const started = performance.now();
    const answer = await fetch(url);
    return { status: answer.status, text: await answer.text(), ms: performance.now() - started };
  }

  test('a PostgreSQL that does not answer', async () => {
    const server = Number(
      (await readFile(join(system.folder.postgres, 'cluster', 'postmaster.pid'), 'utf8')).split('\n')[0],
    );
    const family = [server, ...descendantsOf(server).map(Number)];
    for (const pid of family) process.kill(pid, 'SIGSTOP');
    try {
      const { status, text, ms } = await ask(`${system.operationsUrl}/ready`);
      assert.equal(status, 503);
      assert.match(text, /notification-service: database: /);
      assert.match(text, /payload-tracker: (database|bus): /);
      assert.doesNotMatch(text, new RegExp(system.folder.root));
      assert.ok(ms < answerMsMax, `${Math.round(ms)} ms`);
    } finally {
      for (const pid of family) process.kill(pid, 'SIGCONT');
    }
  });

  test('an object store that is gone', async () => {
    const away = `${system.folder.objects}-away`;
    await rename(system.folder.objects, away);
    try {
      for (const base of [system.operationsUrl, system.ingress.baseUrl]) {
        const { status, text } = await ask(`${base}/ready`);
        assert.equal(status, 503);
        assert.match(text, /object store: see the log \[OBJECTS_UNAVAILABLE\]/);
        assert.doesNotMatch(text, new RegExp(system.folder.root));
      }
    } finally {
      await rename(away, system.folder.objects);
    }
  });
});
