/**
 * Bounds the packed bytes that are in memory at once, whatever the number of archives. Who needs bytes waits in line; a large archive
 * is not overtaken for ever by small ones. Used by the step that fetches archives.
 */
export interface ByteLease {
  readonly bytes: number;
  /** Takes more without waiting; false when there is none, and nothing changes. */
  tryGrow(bytes: number): boolean;
  /** Gives back what is not needed. */
  shrink(bytes: number): void;
  /** Gives everything back; safe to call twice. */
  release(): void;
}

interface Waiter {
  readonly bytes: number;
  readonly grant: (lease: ByteLease) => void;
}

export class ByteBudget {
  readonly #bytesMax: number;
  readonly #waiting: Waiter[] = [];
  #used = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  used(): number {
    return this.#used;
  }

  /** Resolves when the bytes are there; rejects with the signal's reason. More than the whole budget is a bug of the caller. */
  acquire(bytes: number, signal: AbortSignal): Promise<ByteLease> {
    if (bytes > this.#bytesMax) throw new Error(`${bytes} bytes can never be leased from ${this.#bytesMax}`);
    if (signal.aborted) return Promise.reject(signal.reason);
    const granted = Promise.withResolvers<ByteLease>();
    const waiter: Waiter = {
      bytes,
      grant: (lease) => {
        signal.removeEventListener('abort', onAbort);
        granted.resolve(lease);
      },
    };
    const onAbort = () => {
      const index = this.#waiting.indexOf(waiter);
      if (index >= 0) this.#waiting.splice(index, 1);
      granted.reject(signal.reason);
      this.#serve();
    };
    signal.addEventListener('abort', onAbort, { once: true });
    this.#waiting.push(waiter);
    this.#serve();
    return granted.promise;
  }

  #serve(): void {
    for (let first = this.#waiting[0]; first !== undefined; first = this.#waiting[0]) {
      if (this.#used + first.bytes > this.#bytesMax) return;
      this.#waiting.shift();
      first.grant(this.#lease(first.bytes));
    }
  }

  #lease(bytes: number): ByteLease {
    let held = bytes;
    this.#used += bytes;
    const resize = (to: number) => {
      this.#used += to - held;
      held = to;
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
