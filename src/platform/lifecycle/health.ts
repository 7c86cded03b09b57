/**
 * Whether a service can do its work: what it has met itself, and, where it has met nothing, what its database and its bus answer when they
 * are asked. Problems are written by whatever meets them and their end; `GET /ready` reads them.
 */
import { CcxError, errorText } from '../../encoding/ccx-error.ts';
import type { Clock } from '../clock/clock.ts';
import { within } from '../clock/deadline.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import type { Readiness } from './lifecycle.ts';

/** All of them: they are asked at once. */
export const readinessMsMax = 2_500;

/** One question of a readiness probe to a database or a bus; probes of Kubernetes give up after a second or a few. */
export const probeMsMax = 2_000;

/** What a service cannot work without. */
export type Need = 'database' | 'bus';

type Probes = { readonly [Name in Need]?: () => Promise<void> };

export class Health {
  readonly #problems = new Map<Need, CcxError>();

  /** Undefined: this part works again. */
  report(need: Need, error: CcxError | undefined): void {
    if (error === undefined) this.#problems.delete(need);
    else this.#problems.set(need, error);
  }

  readiness(): Readiness {
    return readinessOf(this.#problems);
  }

  /** Asks only when nothing is known to be wrong: an idle service meets nothing. An answer that takes too long is none. */
  async probed(probes: Probes, clock: Clock): Promise<Readiness> {
    if (this.#problems.size > 0) return this.readiness();
    return readinessOf(await failedProbes(probes, clock));
  }
}

/** Asks all at once; an answer that takes too long is none. Resolves to a reason for each that failed. */
export async function probeReasons(
  probes: Readonly<Record<string, () => Promise<void>>>,
  clock: Clock,
): Promise<string[]> {
  return [...readinessOf(await failedProbes(probes, clock)).reasons];
}

async function failedProbes(
  probes: Readonly<Record<string, () => Promise<void>>>,
  clock: Clock,
): Promise<Map<string, CcxError>> {
  const found = new Map<string, CcxError>();
  await Promise.all(
    Object.entries(probes).map(async ([need, probe]) => {
      const error = await failureOf(probe, clock);
      if (error !== undefined) found.set(need, error);
    }),
  );
  return found;
}

function readinessOf(problems: ReadonlyMap<string, CcxError>): Readiness {
  const reasons = [...problems].map(([need, error]) => `${need}: ${errorText(error)} [${error.code}]`).sort();
  return { ready: reasons.length === 0, reasons };
}

async function failureOf(probe: () => Promise<void>, clock: Clock): Promise<CcxError | undefined> {
  const failure = probe().then(
    () => undefined,
    (error: unknown) =>
      error instanceof CcxError
        ? error
        : new CcxError('unexpected answer', { code: 'PROBE_FAILED', category: 'internal', cause: error }),
  );
  return within(failure, { clock, ms: probeMsMax }, () => {
    return new CcxError(`no answer within ${probeMsMax} ms`, {
      code: 'PROBE_LATE',
      category: 'connection',
      retryable: true,
    });
  });
}

/**
 * What `GET /ready` tells anybody of a service's readiness: which part is missing, and nothing of this machine's files. The whole text goes
 * to the log, once for each change. Used by whatever serves `/ready`.
 */
interface PublicReadinessOptions {
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
