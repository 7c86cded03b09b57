/**
 * What a step of a pipeline knows of its attempts, and what it may answer. Expected answers are values; `throw` is for bugs. One component
 * at the end of each pipeline turns everything that is not `done` into its effect (a counter, a dead letter, a pause).
 */
import { CcxError } from '../../../encoding/ccx-error.ts';
import { type BackoffBounds, backoffMs } from '../../clock/backoff.ts';
import type { Clock } from '../../clock/clock.ts';

/** Which try of a step this is. */
export interface StepAttempt {
  /** Counts from 1. */
  readonly number: number;
  /** Pause before the next one, should this one fail. */
  readonly retryMs: number;
  /** Since the first attempt of this step. */
  readonly elapsedMs: number;
  /** Aborts when the work is to be given up: the partition was lost, or the service stops. */
  readonly signal: AbortSignal;
}

export type StepAnswer<T> =
  | { readonly kind: 'done'; readonly value: T }
  /** The message is of no concern to us; `reason` is a metric label. */
  | { readonly kind: 'drop'; readonly reason: string }
  /** The message is bad and will stay bad; it goes to the dead-letter topic with the error's code and text. */
  | { readonly kind: 'dead-letter'; readonly error: CcxError }
  /** Something that we need is away; the same message is tried again and nothing behind it is acknowledged first. */
  | { readonly kind: 'retry'; readonly error: CcxError; readonly afterMs: number };

/** Of a step that waits for nothing. */
export type ImmediateAnswer<T> = Extract<StepAnswer<T>, { kind: 'done' | 'dead-letter' }>;

export function done<T>(value: T) {
  return { kind: 'done', value } as const satisfies StepAnswer<T>;
}

export function drop(reason: string): StepAnswer<never> {
  return { kind: 'drop', reason };
}

export function deadLetter(error: CcxError) {
  return { kind: 'dead-letter', error } as const satisfies StepAnswer<never>;
}

export function retry(error: CcxError, afterMs: number): StepAnswer<never> {
  return { kind: 'retry', error, afterMs };
}

/** What was thrown where only answers were expected: a bug of ours. */
export function unexpected(cause: unknown): CcxError {
  return new CcxError('unexpected failure', { code: 'INTERNAL_ERROR', category: 'internal', cause });
}

interface RetryOptions {
  readonly clock: Clock;
  /** Pauses between attempts, unless the step names its own. */
  readonly bounds: BackoffBounds;
  readonly signal: AbortSignal;
  /** Sleeps for `afterMs`; its rejection ends the attempts. */
  readonly wait: (afterMs: number, error: CcxError) => Promise<void>;
}

/** Makes attempts until the answer is another one than `retry`. */
export async function untilAnswered<T>(
  step: (attempt: StepAttempt) => StepAnswer<T> | Promise<StepAnswer<T>>,
  { clock, bounds, signal, wait }: RetryOptions,
): Promise<Exclude<StepAnswer<T>, { kind: 'retry' }>> {
  const startedMs = clock.monotonicMs();
  for (let number = 1; ; number += 1) {
    const retryMs = backoffMs(bounds, number, clock.random());
    const answer = await step({ number, retryMs, elapsedMs: clock.monotonicMs() - startedMs, signal });
    if (answer.kind !== 'retry') return answer;
    await wait(answer.afterMs, answer.error);
  }
}
