/**
 * What `GET /ready` tells anybody of a service's readiness: which part is missing, and nothing of this machine's files. The whole text goes
 * to the log, once for each change. Used by whatever serves `/ready`.
 */
import type { Clock } from '../clock/clock.ts';
import { within } from '../clock/deadline.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import type { Readiness } from './running-service.ts';

/** All of them: they are asked at once. */
export const readinessMsMax = 2_500;

export interface PublicReadinessOptions {
  readonly readiness: () => Promise<Readiness>;
  readonly log: Telemetry['log'];
  readonly clock: Clock;
}

/** Never rejects, and answers within `readinessMsMax`. */
export function publicReadiness({ readiness, log, clock }: PublicReadinessOptions): () => Promise<Readiness> {
  let logged = '';
  return async () => {
    const answer = await inTime(readiness, clock);
    const text = answer.reasons.join('; ');
    if (text !== logged) {
      if (answer.ready) log.info('ready again');
      // The failure itself is logged as one by whoever met it.
      else log.warn({ reasons: answer.reasons }, 'not ready');
    }
    logged = text;
    const { ready, reasons, notes } = answer;
    return {
      ready,
      reasons: reasons.map(publicReason),
      ...(notes === undefined ? {} : { notes: notes.map(publicReason) }),
    };
  };
}

/** A reason that names a file keeps what comes before that, and its code: `object store: see the log [OBJECTS_UNAVAILABLE]`. */
export function publicReason(reason: string): string {
  if (!/[/\\]/.test(reason)) return reason;
  const parts = reason.split(': ');
  const before = parts.slice(
    0,
    parts.findIndex((part) => /[/\\]/.test(part)),
  );
  const code = /\[[A-Z0-9_]+\]$/.exec(reason)?.[0];
  return `${[...before, 'see the log'].join(': ')}${code === undefined ? '' : ` ${code}`}`;
}

async function inTime(readiness: () => Promise<Readiness>, clock: Clock): Promise<Readiness> {
  try {
    return await within(readiness(), { clock, ms: readinessMsMax }, () =>
      notReady(`no answer within ${readinessMsMax} ms`),
    );
  } catch (error) {
    return notReady(`readiness: unexpected answer: ${String(error)} [UNKNOWN]`);
  }
}

function notReady(reason: string): Readiness {
  return { ready: false, reasons: [reason] };
}
