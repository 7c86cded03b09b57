/**
 * Whether a target may be tried: what its answers say about it and about the recipient they were for, and when a pause of it ends. Kept in
 * memory as long as the process lives; pauses are in the database, for all processes. Used by the deliver step.
 */
import type { CcxError } from '../../encoding/ccx-error.ts';
import { pauseCheckMs, pauseSaidMs, refusedRecipientsMin } from './limits.ts';
import type { DeliveryResult } from './ports.ts';
import type { RunTarget, TargetHealth } from './run.ts';
import type { Run } from './run-context.ts';
import { endPause, readPause } from './store/outbox.ts';

export function createTargetHealth(): TargetHealth {
  return { refused: new Set(), isAtFault: false, pauseCheckedMs: undefined, pauseSaidMs: undefined };
}

/** For how long the whole target is to be left alone, and why; undefined: the answer is about its message alone. */
export function judgeAnswer(
  health: Pick<TargetHealth, 'refused' | 'isAtFault'>,
  recipient: string,
  result: DeliveryResult,
): { readonly afterMs: number; readonly error: CcxError } | undefined {
  switch (result.kind) {
    case 'delivered':
      health.refused.clear();
      health.isAtFault = false;
      return undefined;
    case 'paused':
      return result;
    case 'refused':
    case 'rejected': {
      const afterMs = result.kind === 'refused' ? result.afterMs : result.pauseMs;
      if (afterMs === undefined) return undefined;
      health.refused.add(recipient);
      if (health.refused.size < refusedRecipientsMin) return undefined;
      health.isAtFault = true;
      return { afterMs, error: result.error };
    }
    case 'retry':
    case 'unreachable':
    case 'unknown':
      return undefined;
  }
}

/** Ends a pause whose cause is over, and says one that is in force. */
export async function lookAtPause(run: Run, runTarget: RunTarget): Promise<void> {
  const { target, health } = runTarget;
  const nowMs = run.clock.monotonicMs();
  const started = health.pauseCheckedMs === undefined;
  if (!started && run.settings.mode === 'follow' && nowMs - health.pauseCheckedMs! < pauseCheckMs) return;
  health.pauseCheckedMs = nowMs;
  const pause = await readPause(run, runTarget);
  const isOver = pause !== undefined && (await target.isOver(pause.code, { started }));
  if (isOver) {
    await endPause(run, runTarget);
    run.events.targetResumed(target, pause.code);
  }
  if (pause === undefined || isOver) {
    health.pauseSaidMs = undefined;
    // By others than before: those that were tried longest ago come first.
    if (health.isAtFault) health.refused.clear();
    health.isAtFault = false;
    return;
  }
  const said = health.pauseSaidMs;
  if (said !== undefined && run.settings.mode === 'follow' && nowMs - said < pauseSaidMs) return;
  health.pauseSaidMs = nowMs;
  run.events.targetStillPaused(target, pause);
}
