/**
 * A receiver of the operator's own may be slow, or hang: nobody else waits for it. A run that follows goes on without one that takes longer,
 * and what comes later finds it at work until it is done. A one-shot run has nothing else to do, and waits. Used by `pipeline.ts`.
 */
import { isReceiver } from '../../contracts/tables.ts';
import { within } from '../../platform/clock/deadline.ts';
import type { Run, RunTarget } from './run.ts';

/** A receiver that is well has taken what a run has for it by then. */
const waitMsMax = 1_000;

export async function besideOthers(run: Run, { target, health }: RunTarget, work: () => Promise<void>): Promise<void> {
  if (run.settings.mode === 'once' || !isReceiver(target.eventTargetId)) return await work();
  if (health.beside !== undefined) return;
  let isLate = false;
  const working = work().finally(() => {
    health.beside = undefined;
  });
  health.beside = working.catch((error: unknown) => {
    if (isLate) run.events.deliveringFailed(target, error);
  });
  await within(working, { clock: run.clock, ms: waitMsMax }, () => {
    isLate = true;
  });
}
