/**
 * Who of several owners is next, so that over time each gets the same amount of something that is measured afterwards (CPU time of a job).
 * Used by the pool for its waiting jobs. Start-time fair queueing: each owner has an account of what it has used, the smallest is next, and
 * whoever comes back after a pause starts where the others are, so that nobody saves up a right to block them.
 */
interface Account {
  used: number;
  /** Jobs that wait or run. */
  jobs: number;
  /** What a job of this owner cost lately; charged in advance, since several may start before the first is measured. */
  typical: number;
}

/** What a job is taken to cost before one of its owner was measured: anything but nothing, so that two do not start for one. */
const unmeasured = 1;
/** Weight of the newest measurement in what a job typically costs. */
const newestShare = 0.5;

export class FairShare {
  readonly #accounts = new Map<string, Account>();
  /** The account of whoever was served last: nobody starts below it. */
  #floor = 0;

  /** A job of the owner waits from now on. */
  arrived(owner: string): void {
    const account = this.#accounts.get(owner) ?? { used: 0, jobs: 0, typical: unmeasured };
    if (account.jobs === 0) account.used = Math.max(account.used, this.#floor);
    account.jobs += 1;
    this.#accounts.set(owner, account);
  }

  /** Which of those that wait is next: index of the first of the owner that has used least. */
  next(owners: readonly string[]): number {
    const used = owners.map((owner) => this.#accounts.get(owner)?.used ?? 0);
    return used.indexOf(Math.min(...used));
  }

  /** A job of the owner starts. Answers with what was charged, to be given to `ended`. */
  started(owner: string): number {
    const account = this.#accounts.get(owner);
    if (account === undefined) return 0;
    this.#floor = Math.max(this.#floor, account.used);
    account.used += account.typical;
    return account.typical;
  }

  /** A job that started has cost so much. */
  ended(owner: string, cost: number, charged: number): void {
    const account = this.#accounts.get(owner);
    if (account === undefined) return;
    account.used += cost - charged;
    account.typical = account.typical * (1 - newestShare) + cost * newestShare;
    this.left(owner);
  }

  /** A job of the owner is gone, also one that never started. */
  left(owner: string): void {
    const account = this.#accounts.get(owner);
    if (account !== undefined) account.jobs -= 1;
    for (const [name, { used, jobs }] of this.#accounts) {
      if (jobs === 0 && used <= this.#floor) this.#accounts.delete(name);
    }
  }

  /** Owners that are remembered. */
  size(): number {
    return this.#accounts.size;
  }
}
