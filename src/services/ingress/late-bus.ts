/**
 * A bus that is opened when it is first needed, and again after it could not be: ingress takes uploads while the bus is away, also at its
 * start. Made by `commands.ts`.
 */
import { CcxError } from '../../encoding/ccx-error.ts';
import type { Bus } from '../../platform/bus/bus.ts';
import type { SendingBus } from './ports.ts';

export interface LateBus extends SendingBus {
  /** Tries once. Resolves with why the bus is away, if it is; rejects with what no waiting will mend: wrong settings. */
  tryNow(): Promise<CcxError | undefined>;
  close(): Promise<void>;
}

export interface OpenedBus {
  readonly bus: Bus;
  /** Of the bus and of what was opened for it. */
  close(): Promise<void>;
}

export function createLateBus(open: () => Promise<OpenedBus>): LateBus {
  const state: { opening?: Promise<OpenedBus> | undefined } = {};
  const get = (): Promise<OpenedBus> => {
    if (state.opening === undefined) {
      const opening = open();
      state.opening = opening;
      opening.catch(() => {
        state.opening = undefined;
      });
    }
    return state.opening;
  };
  return {
    createProducer: async () => await (await get()).bus.createProducer(),
    check: async () => await (await get()).bus.check(),
    async tryNow() {
      try {
        await get();
        return undefined;
      } catch (error) {
        if (error instanceof CcxError && error.retryable) return error;
        throw error;
      }
    },
    async close() {
      const opened = await state.opening?.catch(() => undefined);
      await opened?.close();
    },
  };
}
