/** The first report of a real cluster removes the simulated ones, also what was under way; without one they stay. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { createTestDatabase, emptyTables, type TestDatabase } from '../../test/support/postgres.ts';
import { until } from '../../test/support/until.ts';
import { createWatchedClock } from '../../test/support/watched-clock.ts';
import { SIMULATED_CLUSTER_PREFIX } from '../contracts/identifiers.ts';
import { createSilentTelemetry } from '../platform/telemetry/telemetry.ts';
import { letSimulatedClustersLeave, lingerMs } from './simulated-clusters-leave.ts';

const real = '84ef291d-8f1b-4d28-ab34-cfddff941b84';
const simulated = `${SIMULATED_CLUSTER_PREFIX}123-8abc-0123456789ab`;
const writer = createSilentTelemetry('writer');

let context: TestDatabase;
before(async () => {
  context = await createTestDatabase({ migrated: true, sets: ['records', 'notifier', 'trace'] });
});
after(() => context.drop());
beforeEach(() => emptyTables(context.database, 'new_reports', 'ccx.clusters'));

async function store(cluster: string): Promise<void> {
  await context.database.query(
    `INSERT INTO new_reports (org_id, account_number, cluster, report, updated_at) VALUES (1, 1, $1, '{}', '2026-11-27')
     ON CONFLICT DO NOTHING`,
    [cluster],
  );
  writer.announce('report-stored', { cluster });
}

async function stored(): Promise<readonly string[]> {
  const { rows } = await context.database.query<{ cluster: string }>(
    'SELECT rtrim(cluster) AS cluster FROM new_reports ORDER BY 1',
  );
  return rows.map(({ cluster }) => cluster);
}

async function watching(
  check: (at: { clock: ReturnType<typeof createWatchedClock>; lines: string[] }) => Promise<void>,
) {
  const clock = createWatchedClock();
  const lines: string[] = [];
  const end = await letSimulatedClustersLeave({
    ...{ database: context.database, clock },
    print: (line) => lines.push(line),
  });
  try {
    await check({ clock, lines });
  } finally {
    await end();
  }
}

const gone = 'A real cluster has reported: the simulated ones are gone.';

test('they stay until a real cluster reports, and what was under way then goes a minute later', () =>
  watching(async ({ clock, lines }) => {
    await store(simulated);
    assert.deepEqual([await stored(), lines], [[simulated], []]);
    await store(real);
    assert.equal(await clock.nextSleep(), lingerMs);
    assert.deepEqual([await stored(), lines], [[real], [gone]]);
    await store(simulated);
    await clock.advance(lingerMs);
    await until(() => lines.length === 2);
    assert.deepEqual([await stored(), lines], [[real], [gone, gone]]);
  }));

test('one that reported right before a restart removes them at the next start', async () => {
  await store(simulated);
  await store(real);
  await watching(async ({ clock, lines }) => {
    await clock.nextSleep();
    assert.deepEqual([await stored(), lines], [[real], [gone]]);
  });
});

test('where nothing is simulated nothing is asked of the database', () =>
  watching(async ({ lines }) => {
    await store(real);
    assert.deepEqual([await stored(), lines], [[real], []]);
  }));
