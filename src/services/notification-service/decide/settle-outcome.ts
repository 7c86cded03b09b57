/**
 * What the outcome of a claimed message means: for its row in the outbox, for its issues in the ledger, for when their cluster is looked at
 * again, for the trace of its request, and how it counts. Pure; called by the record step. The store writes columns, telemetry counts and
 * says: neither asks what an outcome means.
 *
 * A target answers an attempt with a `DeliveryResult` (`ports.ts`), in its own words for whom it reached. The deliver step makes one of the
 * outcomes below of it, the same ones for every target; so a receiver that is added is done when it answers with results, and gets its
 * meaning here.
 */
import { type Issue, issueIdentity } from '../../../contracts/issue.ts';
import { type CcxError, errorText } from '../../../encoding/ccx-error.ts';

export type DeliveryOutcome =
  | { readonly kind: 'delivered'; readonly atMicros: bigint; readonly detail: string }
  /** Refused for good; `hold` starts the issue's clock, so that it is not refused again at each run. */
  | { readonly kind: 'dead'; readonly error: CcxError; readonly hold: boolean }
  /** Possibly arrived and too old to be repeated. */
  | { readonly kind: 'listed'; readonly error: CcxError }
  /** Tried and not delivered. */
  | {
      readonly kind: 'later';
      readonly error: CcxError;
      readonly nextAttemptMicros: bigint;
      readonly mayHaveArrived: boolean;
      /** One-shot: until when this run keeps trying it. */
      readonly runDeadlineMicros: bigint;
    }
  /** Due, and its text could not be made. Nothing was tried. */
  | { readonly kind: 'unrendered'; readonly error: CcxError; readonly nextAttemptMicros: bigint }
  /** Due, and not to be sent before a later moment, from which on it counts as due. Nothing was tried. */
  | { readonly kind: 'held-back'; readonly error: CcxError; readonly dueMicros: bigint }
  /** Claimed and not tried. */
  | { readonly kind: 'released' }
  /** None of its issues is to be notified any more. */
  | {
      readonly kind: 'withdrawn';
      readonly reason: string;
      /** Where not all of its issues have that reason. */
      readonly left?: readonly { readonly issue: Issue; readonly reason: string }[];
    };

export interface Settlement {
  readonly outbox: OutboxSettlement;
  /** Undefined: nothing about the issues changed. */
  readonly ledger: LedgerSettlement | undefined;
  /**
   * When the cluster is to be looked at again. Undefined: nothing asks for it. Null: without a cooldown only a newer report, or the next
   * one-shot run, does.
   */
  readonly dueAgainMicros: bigint | null | undefined;
  /** What the trace of the message's request says, in order. */
  readonly trace: readonly OutcomeTrace[];
  readonly tally: OutcomeTally;
}

interface OutcomeTrace {
  readonly status: 'notification-delivered' | 'outcome-recorded' | 'notification-dead' | 'notification-failed';
  readonly hop: 11 | 12 | undefined;
  /** Behind the names of target and message; empty: they say it all. */
  readonly detail: string;
  readonly atMicros: bigint;
}

interface OutcomeTally {
  /** The state that the message ended in; undefined: it goes on. */
  readonly finishedAs: 'delivered' | 'dead' | 'unknown' | 'withdrawn' | undefined;
  /** Given up, or listed as possibly arrived: a person should look. */
  readonly givenUp: boolean;
  /** Failed for good, or until the next one-shot run. */
  readonly leftOver: boolean;
}

interface OutboxSettlement {
  readonly state: 'pending' | 'unknown' | 'delivered' | 'dead' | 'withdrawn';
  readonly attempts: number;
  readonly mayHaveArrived: boolean;
  /** Null: finished. */
  readonly nextAttemptMicros: bigint | null;
  /** From when on it is due. Null: as it was. */
  readonly dueMicros: bigint | null;
  readonly deliveredMicros: bigint | null;
  readonly finishedMicros: bigint | null;
  readonly error: { readonly code: string; readonly text: string } | undefined;
  /** Null: as it was. */
  readonly runDeadlineMicros: bigint | null;
  /** The claim is taken back: as if it had not been made. */
  readonly untried: boolean;
}

interface LedgerSettlement {
  /** `before`: what it was before the message. */
  readonly state: 'notified' | 'dead' | 'unknown' | 'before';
  readonly clockMicros: bigint | null;
  readonly nextEligibleMicros: bigint | null;
  readonly reason: string | undefined;
  /** By the identity of an issue, where it has another one. */
  readonly reasons?: ReadonlyMap<string, string>;
}

export function settleOutcome(
  outcome: DeliveryOutcome,
  /** `attempts` has this one in it. */
  { attempts, mayHaveArrived }: { readonly attempts: number; readonly mayHaveArrived: boolean },
  {
    nowMicros,
    cooldownMicros,
    oneShot,
  }: {
    readonly nowMicros: bigint;
    /** Undefined: no cooldown. */
    readonly cooldownMicros: bigint | undefined;
    /** A one-shot run ends; what it does not try again before its deadline is left to the next one. */
    readonly oneShot: boolean;
  },
): Settlement {
  const tried = {
    ...{ attempts, mayHaveArrived, untried: false, error: undefined },
    ...{
      nextAttemptMicros: null,
      dueMicros: null,
      deliveredMicros: null,
      finishedMicros: null,
      runDeadlineMicros: null,
    },
  } as const;
  const untried = { ...tried, attempts: attempts - 1, untried: true } as const;
  const waitingState = mayHaveArrived ? 'unknown' : 'pending';
  const clockFrom = (state: LedgerSettlement['state'], micros: bigint) => {
    const end = cooldownMicros === undefined ? null : micros + cooldownMicros;
    return {
      ledger: { state, clockMicros: micros, nextEligibleMicros: end, reason: undefined },
      dueAgainMicros: end,
    } as const;
  };
  const unchanged = { ledger: undefined, dueAgainMicros: undefined } as const;
  const atOnce = (state: LedgerSettlement['state'], reason?: string) =>
    ({ ledger: { state, clockMicros: null, nextEligibleMicros: null, reason }, dueAgainMicros: nowMicros }) as const;
  const trace = (status: OutcomeTrace['status'], detail: string, hop?: OutcomeTrace['hop']): OutcomeTrace => {
    return { status, hop, detail, atMicros: nowMicros };
  };
  const goesOn = { finishedAs: undefined, givenUp: false, leftOver: false } as const;
  switch (outcome.kind) {
    case 'delivered':
      return {
        trace: [
          { ...trace('notification-delivered', '', 11), atMicros: outcome.atMicros },
          trace('outcome-recorded', 'delivered', 12),
        ],
        tally: { ...goesOn, finishedAs: 'delivered' },
        outbox: {
          ...tried,
          state: 'delivered',
          mayHaveArrived: true,
          deliveredMicros: outcome.atMicros,
          finishedMicros: nowMicros,
        },
        ...clockFrom('notified', outcome.atMicros),
      };
    case 'dead':
      return {
        trace: [trace('notification-dead', described(outcome.error))],
        tally: { finishedAs: 'dead', givenUp: true, leftOver: true },
        outbox: { ...tried, state: 'dead', finishedMicros: nowMicros, error: columnsOf(outcome.error) },
        ...(outcome.hold ? clockFrom('dead', nowMicros) : atOnce('dead')),
      };
    case 'listed':
      return {
        trace: [trace('notification-dead', described(outcome.error))],
        tally: { finishedAs: 'unknown', givenUp: true, leftOver: true },
        outbox: {
          ...tried,
          state: 'unknown',
          mayHaveArrived: true,
          finishedMicros: nowMicros,
          error: columnsOf(outcome.error),
        },
        ...clockFrom('unknown', nowMicros),
      };
    case 'later':
      return {
        trace: [trace('notification-failed', described(outcome.error))],
        tally: { ...goesOn, leftOver: oneShot && outcome.nextAttemptMicros > outcome.runDeadlineMicros },
        outbox: {
          ...tried,
          state: outcome.mayHaveArrived ? 'unknown' : 'pending',
          mayHaveArrived: outcome.mayHaveArrived,
          nextAttemptMicros: outcome.nextAttemptMicros,
          runDeadlineMicros: outcome.runDeadlineMicros,
          error: columnsOf(outcome.error),
        },
        ...unchanged,
      };
    case 'unrendered':
      return {
        trace: [],
        tally: goesOn,
        outbox: {
          ...untried,
          state: waitingState,
          nextAttemptMicros: outcome.nextAttemptMicros,
          // The next run tries it.
          runDeadlineMicros: nowMicros,
          error: columnsOf(outcome.error),
        },
        ...unchanged,
      };
    case 'held-back':
      return {
        trace: [trace('outcome-recorded', described(outcome.error))],
        tally: goesOn,
        outbox: {
          ...untried,
          state: waitingState,
          nextAttemptMicros: outcome.dueMicros,
          dueMicros: outcome.dueMicros,
          error: columnsOf(outcome.error),
        },
        ...unchanged,
      };
    case 'released':
      return {
        trace: [],
        tally: goesOn,
        outbox: { ...untried, state: waitingState, nextAttemptMicros: nowMicros },
        ...unchanged,
      };
    case 'withdrawn':
      return {
        trace: [trace('outcome-recorded', `withdrawn, ${outcome.reason}`, 12)],
        tally: { ...goesOn, finishedAs: 'withdrawn' },
        outbox: {
          ...untried,
          state: 'withdrawn',
          finishedMicros: nowMicros,
          error: { code: 'WITHDRAWN', text: outcome.reason },
        },
        ...withReasons(atOnce('before', outcome.reason), outcome.left),
      };
  }
}

function withReasons<Again extends { readonly ledger: LedgerSettlement }>(
  again: Again,
  left: readonly { readonly issue: Issue; readonly reason: string }[] | undefined,
): Again {
  if (left === undefined) return again;
  const reasons = new Map(left.map(({ issue, reason }) => [issueIdentity(issue), reason]));
  return { ...again, ledger: { ...again.ledger, reasons } };
}

function columnsOf(error: CcxError): { readonly code: string; readonly text: string } {
  return { code: error.code, text: errorText(error) };
}

function described(error: CcxError): string {
  return `${error.code}, ${errorText(error)}`;
}
