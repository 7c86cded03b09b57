/**
 * Who may work on an upload now. One for all requests of one ingress; the pipeline admits each upload here before its form is read.
 *
 * A client costs a slot only while bytes of it are worked on. It is admitted once so much has arrived that there is something to do, or
 * all of it; whenever the client is waited for, its slot goes to somebody else. So a slot is never held by a client that sends a byte now
 * and then, and an upload that others trickle beside is not delayed by them.
 *
 * Three bounds: slots (work at once), admitted uploads (open files), and the time that a client is allowed (`request-body.ts`).
 */
import { CcxError, inputError } from '../../encoding/ccx-error.ts';
import type { Clock } from '../../platform/clock/clock.ts';
import { bodyFirstMsMax, type Holding, leastBytesPerSecond, type RequestBody } from './request-body.ts';

/** So much of a form has arrived, or all of it, before it gets a slot. */
export const uploadArrivedBytesMin = 16 * 1024;

/** How often clients that are waited for are looked at: one timer for all of them. */
export const sweepBodiesEveryMs = 1_000;
/** Admitted uploads per slot, most of which wait for their clients: each holds a connection and a file. */
export const admittedPerSlotMax = 4;
/** How long an upload waits for a slot before it is answered 503; the operator waits 60 s for its answer. */
export const uploadQueueMsMax = 20_000;

/** Somebody who has something to work on, and waits for a slot. */
interface InLine {
  readonly orgId: string;
  readonly sinceMs: number;
  readonly resolve: () => void;
  readonly reject: (error: CcxError) => void;
}

export class UploadSlots {
  readonly #max: number;
  readonly #clock: Clock;
  /** All bodies that somebody reads. */
  readonly #bodies = new Set<RequestBody>();
  /** Those that were admitted; they may have an open file. */
  readonly #admitted = new Set<RequestBody>();
  readonly #line = new Set<InLine>();
  readonly #slotsByOrg = new Map<string, number>();
  readonly #stopSweeping: () => void;
  #taken = 0;

  constructor({ slotsMax, clock }: { readonly slotsMax: number; readonly clock: Clock }) {
    this.#max = slotsMax;
    this.#clock = clock;
    this.#stopSweeping = clock.every(sweepBodiesEveryMs, () => this.sweep());
  }

  /** Slots in use. */
  get taken(): number {
    return this.#taken;
  }

  get admitted(): number {
    return this.#admitted.size;
  }

  /** Requests whose body is still to come, or that wait for a slot. */
  get waiting(): number {
    return this.#bodies.size - this.#admitted.size;
  }

  /** Keeps an eye on a body for as long as the work takes. */
  async watch<T>(body: RequestBody, work: () => Promise<T>): Promise<T> {
    this.#bodies.add(body);
    try {
      return await work();
    } finally {
      this.#bodies.delete(body);
    }
  }

  /**
   * Resolves when the upload may be worked on, to what ends that. Rejects with `BODY_TOO_SLOW`, with `TOO_MANY_UPLOADS` when no slot came
   * free in time, and when the client went away; during the work, the body's `next` rejects in the same ways.
   */
  async admit(body: RequestBody, orgId: string): Promise<() => void> {
    await body.arrived(uploadArrivedBytesMin);
    const slot = this.#slotFor(orgId);
    await slot.resume();
    this.#admitted.add(body);
    if (this.#admitted.size > this.#max * admittedPerSlotMax) {
      const slowest = this.#slowestOf(this.#admitted);
      if (slowest !== undefined) this.#admitted.delete(slowest);
      slowest?.interrupt(tooMany());
    }
    body.holding = slot;
    return () => {
      body.holding = undefined;
      this.#admitted.delete(body);
      slot.pause();
    };
  }

  /** Closes the connection of the client that is waited for with the least time left. False where there is none. */
  makeRoom(): boolean {
    const slowest = this.#slowestOf(this.#bodies);
    slowest?.hangUp();
    return slowest !== undefined;
  }

  /** One look at everybody who waits, which otherwise happens every second. */
  sweep(): void {
    const nowMs = this.#clock.monotonicMs();
    for (const body of this.#bodies) if (body.isAwaited && body.allowance(nowMs) <= 0) body.fail(tooSlow());
    for (const waiting of this.#line) {
      if (nowMs - waiting.sinceMs < uploadQueueMsMax) break;
      this.#line.delete(waiting);
      waiting.reject(tooMany());
    }
  }

  stop(): void {
    this.#stopSweeping();
  }

  /** One upload's hold on a slot; taken and given back as often as it likes. */
  #slotFor(orgId: string): Holding {
    let isTaken = false;
    return {
      pause: () => {
        if (isTaken) this.#giveBack(orgId);
        isTaken = false;
      },
      resume: async () => {
        await this.#take(orgId);
        isTaken = true;
      },
    };
  }

  async #take(orgId: string): Promise<void> {
    if (this.#taken < this.#max) {
      this.#count(orgId, 1);
      return;
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#line.add({ orgId, sinceMs: this.#clock.monotonicMs(), resolve, reject });
    await promise;
  }

  #giveBack(orgId: string): void {
    this.#count(orgId, -1);
    const next = nextInLine(this.#line, (org) => this.#slotsByOrg.get(org) ?? 0);
    if (next === undefined) return;
    this.#line.delete(next);
    this.#count(next.orgId, 1);
    next.resolve();
  }

  #count(orgId: string, change: 1 | -1): void {
    this.#taken += change;
    const slots = (this.#slotsByOrg.get(orgId) ?? 0) + change;
    if (slots === 0) this.#slotsByOrg.delete(orgId);
    else this.#slotsByOrg.set(orgId, slots);
  }

  #slowestOf(bodies: ReadonlySet<RequestBody>): RequestBody | undefined {
    const nowMs = this.#clock.monotonicMs();
    let slowest: RequestBody | undefined;
    let least = Number.POSITIVE_INFINITY;
    for (const body of bodies) {
      const allowance = body.allowance(nowMs);
      if (!body.isAwaited || allowance >= least) continue;
      slowest = body;
      least = allowance;
    }
    return slowest;
  }
}

function tooSlow(): CcxError {
  const what = `less than ${leastBytesPerSecond} bytes a second after the first ${bodyFirstMsMax} ms`;
  return inputError('BODY_TOO_SLOW', `the client sends too slowly: ${what}`);
}

function tooMany(): CcxError {
  return new CcxError('there is no room for the upload', { code: 'TOO_MANY_UPLOADS', category: 'limit' });
}

/**
 * Who gets a slot that has come free, of all who wait for one: somebody of the organization that has the fewest in use, and of several the
 * one that has waited longest. Nobody is kept out where nobody else waits. `waiting`: the longest wait first. Undefined where nobody waits.
 */
export function nextInLine<T extends Pick<InLine, 'orgId'>>(
  waiting: Iterable<T>,
  slotsOf: (orgId: string) => number,
): T | undefined {
  let next: T | undefined;
  let fewest = Number.POSITIVE_INFINITY;
  for (const one of waiting) {
    const slots = slotsOf(one.orgId);
    if (slots >= fewest) continue;
    next = one;
    fewest = slots;
    if (slots === 0) break;
  }
  return next;
}
