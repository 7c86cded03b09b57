/** The data pipeline's fair shares on the embedded bus. */
import { after } from 'node:test';
import { createTestDatabase, type TestDatabase } from '../../../test/support/postgres.ts';
import { createPostgresBus, type PostgresBus } from '../../platform/bus/postgres/postgres-bus.ts';
import { createSystemClock } from '../../platform/clock/clock.ts';
import { fairSharesContract } from './fair-shares.contract.ts';

let context: TestDatabase | undefined;
let bus: PostgresBus | undefined;

fairSharesContract(async () => {
  context = await createTestDatabase();
  bus = await createPostgresBus({ database: context.database, clock: createSystemClock(), pollEveryMs: 50 });
  return bus;
});
after(async () => {
  await bus?.close();
  await context?.drop();
});
