/**
 * What the archives of each organization cost lately, for one purpose: a warning that names the one that takes more than its share while
 * others wait. The sharing itself is done by the places and by the runner pool. Fed by `pipeline.ts`.
 */
import type { Clock } from '../../platform/clock/clock.ts';

/** CPU time of organizations is added up over so long. */
const windowMs = 60 * 1_000;
/** Less than this in the window is nobody's trouble. */
const cpuMsMin = 1_000;
/** How much more than an equal share it must be. */
const factor = 1.5;
/** The same organization is named again after so long. */
const repeatMs = 60 * 1_000;

export interface OverShare {
  readonly orgId: number;
  /** CPU time of its archives within the window. */
  readonly cpuMs: number;
  /** Its part of what all archives took, 0 to 1. */
  readonly share: number;
  readonly organizations: number;
}

interface OrganizationUsageOptions {
  readonly clock: Clock;
  readonly onOverShare: (over: OverShare) => void;
}

export class OrganizationUsage {
  readonly #options: OrganizationUsageOptions;
  /** Oldest first. */
  readonly #costs: { readonly orgId: number; readonly cpuMs: number; readonly atMs: number }[] = [];
  /** Sums of those, by organization and in all. */
  readonly #used = new Map<number, number>();
  #total = 0;
  readonly #namedMs = new Map<number, number>();

  constructor(options: OrganizationUsageOptions) {
    this.#options = options;
  }

  /** An archive of the organization has cost so much. */
  add(orgId: number, cpuMs: number): void {
    this.#costs.push({ orgId, cpuMs, atMs: this.#options.clock.monotonicMs() });
    this.#count(orgId, cpuMs);
    this.#forgetOld();
  }

  /** Somebody else was served before an announcement of this organization that waited longer. */
  passedOver(orgId: number): void {
    const { clock, onOverShare } = this.#options;
    const now = clock.monotonicMs();
    this.#forgetOld();
    if (now - (this.#namedMs.get(orgId) ?? Number.NEGATIVE_INFINITY) < repeatMs) return;
    const cpuMs = this.#used.get(orgId) ?? 0;
    // The one that was served before it counts, too, and may have used nothing yet.
    const organizations = Math.max(2, this.#used.size);
    if (cpuMs < cpuMsMin || cpuMs * organizations < this.#total * factor) return;
    this.#namedMs.set(orgId, now);
    onOverShare({ orgId, cpuMs, share: cpuMs / this.#total, organizations });
  }

  #forgetOld(): void {
    const now = this.#options.clock.monotonicMs();
    const current = this.#costs.findIndex(({ atMs }) => now - atMs <= windowMs);
    const old = this.#costs.splice(0, current < 0 ? this.#costs.length : current);
    for (const { orgId, cpuMs } of old) this.#count(orgId, -cpuMs);
    // What is left of adding and subtracting fractions is nothing.
    if (this.#costs.length === 0) {
      this.#used.clear();
      this.#total = 0;
    }
    for (const [orgId, atMs] of this.#namedMs) if (now - atMs >= repeatMs) this.#namedMs.delete(orgId);
  }

  #count(orgId: number, cpuMs: number): void {
    const used = (this.#used.get(orgId) ?? 0) + cpuMs;
    if (used > roundingMs) this.#used.set(orgId, used);
    else this.#used.delete(orgId);
    this.#total += cpuMs;
  }
}

/** Less than any archive costs: an organization with so little left has nothing in the window. */
const roundingMs = 0.001;
