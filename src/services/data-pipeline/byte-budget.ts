/**
 * Bounds the packed bytes that are in memory at once, whatever the number of archives. Who needs bytes waits in line; a large archive
 * is not overtaken for ever by small ones, and no owner (organization) holds more than his share. Used by the step that fetches archives.
 */
import { type Waiter, waitInLine } from './waiting-line.ts';

export interface ByteLease {
  readonly bytes: number;
  /** Takes more without waiting; false when there is none, and nothing changes. */
  tryGrow(bytes: number): boolean;
  /** Gives back what is not needed. */
  shrink(bytes: number): void;
  /** Gives everything back; safe to call twice. */
  release(): void;
}

export class ByteBudget {
  readonly #bytesMax: number;
  readonly #bytesPerOwnerMax: number;
  readonly #usedBy = new Map<number, number>();
  readonly #waiting: Waiter<ByteLease, { readonly bytes: number; readonly owner: number }>[] = [];
  #used = 0;

  constructor(bytesMax: number, bytesPerOwnerMax: number) {
    this.#bytesMax = bytesMax;
    this.#bytesPerOwnerMax = bytesPerOwnerMax;
  }

  used(): number {
    return this.#used;
  }

  /** Resolves when the bytes are there; rejects with the signal's reason. More than the whole budget is a bug of the caller. */
  acquire(bytes: number, owner: number, signal: AbortSignal): Promise<ByteLease> {
    if (bytes > this.#bytesMax) throw new Error(`${bytes} bytes can never be leased from ${this.#bytesMax}`);
    if (signal.aborted) return Promise.reject(signal.reason);
    const granted = waitInLine(this.#waiting, { bytes, owner }, signal, () => this.#serve());
    this.#serve();
    return granted;
  }

  #serve(): void {
    for (;;) {
      const index = this.#nextInLine();
      const next = this.#waiting[index];
      if (next === undefined || this.#used + next.bytes > this.#bytesMax) return;
      this.#waiting.splice(index, 1);
      next.grant(this.#lease(next.bytes, next.owner));
    }
  }

  /** An owner whose next archive is over his share is passed by; nobody overtakes another of the same owner, or one that waits for room. */
  #nextInLine(): number {
    const passedBy = new Set<number>();
    return this.#waiting.findIndex(({ bytes, owner }) => {
      if (passedBy.has(owner)) return false;
      if (this.#isWithinShare(bytes, owner)) return true;
      passedBy.add(owner);
      return false;
    });
  }

  /** At least one archive each, whatever its size. */
  #isWithinShare(bytes: number, owner: number): boolean {
    const used = this.#usedBy.get(owner) ?? 0;
    return used === 0 || used + bytes <= this.#bytesPerOwnerMax;
  }

  #lease(bytes: number, owner: number): ByteLease {
    let held = 0;
    const take = (to: number) => {
      const used = (this.#usedBy.get(owner) ?? 0) + to - held;
      if (used === 0) this.#usedBy.delete(owner);
      else this.#usedBy.set(owner, used);
      this.#used += to - held;
      held = to;
    };
    take(bytes);
    const resize = (to: number) => {
      take(to);
      this.#serve();
    };
    return {
      get bytes() {
        return held;
      },
      tryGrow: (to) => {
        if (to <= held) return true;
        // Those in line come first: growing past them would starve a large archive.
        if (this.#waiting.length > 0 || this.#used + to - held > this.#bytesMax) return false;
        resize(to);
        return true;
      },
      shrink: (to) => {
        if (to < held) resize(to);
      },
      release: () => resize(0),
    };
  }
}
