/** Uploads by operators who try again while a database is in trouble, and the wait until every promise about them is kept. */
import assert from 'node:assert/strict';
import { createSystemClock } from '../../src/platform/clock/clock.ts';
import { complaintsAbout } from './check-promises.ts';
import type { FaultyInstallation } from './faulty-installation.ts';

const clock = createSystemClock();
const gatheringsMax = 12;
const uploadEveryMs = 200;
const retryMs = 300;
const settleMsMax = 60_000;
/** Behind this only leases of messages whose outcome could not be stored are left to wait for; the test does not. */
const leasesMs = 8_000;

/** One cluster after the other; each tries again until it is answered with 202, now under the same id, now under another. */
export async function uploadAll(
  installation: FaultyInstallation,
  { url, ended }: { readonly url: string; readonly ended: AbortSignal },
): Promise<void> {
  const operator = async () => {
    const gathering = installation.gather();
    for (
      let tries = 0;
      !(await installation.upload(gathering, url, tries % 2 === 0 ? 'same-id' : 'new-id'));
      tries += 1
    ) {
      ended.throwIfAborted();
      assert.ok(tries < 200, 'an upload is never accepted');
      await clock.sleep(retryMs);
    }
  };
  const operators: Promise<void>[] = [];
  for (let count = 0; count < gatheringsMax; count += 1) {
    operators.push(operator());
    await clock.sleep(uploadEveryMs);
  }
  await Promise.all(operators);
}

/** Every promise is kept, in the end, by a process that was never started again. */
export async function assertSettles(installation: FaultyInstallation): Promise<void> {
  const startedMs = clock.monotonicMs();
  for (;;) {
    const { evidence } = await installation.collect({ whileRunning: true });
    // A living process has a folder for what it is writing.
    const complaints = complaintsAbout({ ...evidence, leftovers: [] }, { uploads: installation.uploads() });
    if (complaints.length === 0) return;
    const waitedMs = clock.monotonicMs() - startedMs;
    if (waitedMs > settleMsMax) assert.deepEqual(complaints, []);
    if (waitedMs > leasesMs) await installation.endLeases();
    await clock.sleep(1_000);
  }
}
