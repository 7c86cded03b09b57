/** The adapter is chosen by the settings, and what it needs is asked for by name. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createTestDatabase } from '../../../test/support/postgres.ts';
import { createSystemClock } from '../clock/clock.ts';
import { createSilentTelemetry } from '../telemetry/telemetry.ts';
import { rejectsWith } from './contract/bus-harness.contract.ts';
import { openBus } from './open-bus.ts';

const shared = { clock: createSystemClock(), telemetry: createSilentTelemetry() };

describe('opening the bus', () => {
  test('kind postgres uses the database that it is given and leaves it open', async () => {
    const { database, drop } = await createTestDatabase();
    const bus = await openBus({ kind: 'postgres' }, { ...shared, database });
    assert.equal(bus.kind, 'postgres');
    await bus.check();
    await bus.close();
    assert.equal((await database.query('SELECT 1 FROM ccx.bus_topics')).rowCount, 0);
    await drop();
  });

  test('kind postgres without a database is a configuration error', async () => {
    await rejectsWith(openBus({ kind: 'postgres' }, shared), 'BUS_KIND');
  });
});
