/** Packs of a running service: a change is in force within seconds, and one with a fault is told while the last good packs go on. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '../../../test/support/temporary-folder.ts';
import { createManualClock } from '../../platform/clock/manual-clock.ts';
import { packLookMs, watchPacks } from './pack-watch.ts';

function write(folder: string, when: string): void {
  mkdirSync(join(folder, 'rules'), { recursive: true });
  writeFileSync(join(folder, 'pack.yaml'), 'name: ours\nversion: "1"\nowner: us\n');
  const rule = `key: A_RULE\ntitle: Wrong\nimpact: Data Loss\nlikelihood: 1\ninputs: { a: config/a.json }\nwhen: ${when}\nreason: So.\n`;
  writeFileSync(join(folder, 'rules', 'a.yaml'), rule);
}

test('a change is looked for every few seconds; one with a fault is noted until it is mended', async (t) => {
  const folder = temporaryFolder();
  write(folder, 'a.x == 1');
  const clock = createManualClock();
  const told = { loaded: 0, broken: 0 };
  let looked = Promise.withResolvers<void>();
  const count = (event: keyof typeof told) => {
    told[event] += 1;
    looked.resolve();
  };
  const events = { packsLoaded: () => count('loaded'), packsBroken: () => count('broken') };
  const watch = await watchPacks({ folders: [folder], clock, events });
  t.after(() => watch.stop());
  const look = async () => {
    looked = Promise.withResolvers();
    await clock.advance(packLookMs);
    await looked.promise;
  };
  const first = watch.set();
  assert.deepEqual([told, watch.notes(), watch.isStale()], [{ loaded: 1, broken: 0 }, [], false]);

  write(folder, 'a.x = 1');
  await look();
  assert.deepEqual([told, watch.set() === first, watch.isStale()], [{ loaded: 1, broken: 1 }, true, true]);
  assert.match(watch.notes()[0] ?? '', /the last change is not in force.*RULE_PACK_INVALID/);

  write(folder, 'a.x == 22');
  await look();
  assert.deepEqual(
    [told, watch.set() === first, watch.isStale(), watch.notes()],
    [{ loaded: 2, broken: 1 }, false, false, []],
  );
});
