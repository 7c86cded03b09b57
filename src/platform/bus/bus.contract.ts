/**
 * The one contract suite of the bus. An adapter's test file calls `describeBusContract` with a harness; a case that cannot be asked of
 * an adapter is skipped with the reason that the harness gives, never left out of the suite.
 */
import { after, before, describe } from 'node:test';
import type { BusHarness, ContractContext } from './contract/bus-harness.contract.ts';
import { describeFaults } from './contract/faults.contract.ts';
import { describeGroups } from './contract/groups.contract.ts';
import { describeRecords } from './contract/records.contract.ts';

export function describeBusContract(name: string, createHarness: () => Promise<BusHarness>): void {
  describe(`bus contract on ${name}`, () => {
    const state: { harness?: BusHarness } = {};
    const context: ContractContext = { harness: () => state.harness! };
    before(async () => {
      state.harness = await createHarness();
    });
    after(async () => {
      await state.harness?.close();
    });
    describeRecords(context);
    describeGroups(context);
    describeFaults(context);
  });
}
