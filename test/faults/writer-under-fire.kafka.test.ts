/**
 * Writers that are killed under load: a tenth of what `npm run soak` does, another one each time. `CCX_TEST_SEED` gives the same one again.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSystemClock } from '../../src/platform/clock/clock.ts';
import { readProcessInput } from '../../src/platform/config/process-input.ts';
import { openTestKafkaBus, testKafkaBrokers } from '../support/kafka.ts';
import { runWriterUnderFire } from './writer-under-fire.ts';

const seed = readProcessInput().env['CCX_TEST_SEED'] ?? createSystemClock().uuid().slice(0, 8);

test(`writers killed five times under load, PostgreSQL restarted beneath them: every good message exactly once, by content (CCX_TEST_SEED=${seed})`, async (t) => {
  const bus = await openTestKafkaBus();
  try {
    const result = await runWriterUnderFire({
      ...{ seed, kills: 5, serverRestarts: 1 },
      ...{ brokers: await testKafkaBrokers(), bus },
    });
    t.diagnostic(JSON.stringify(result));
    assert.deepEqual(result.complaints.slice(0, 20), []);
    assert.ok(result.killedAtWork > 0, 'at least one of them had something to do');
  } finally {
    await bus.close();
  }
});
