/**
 * Remembers which rules took a runner down, so that the next archives do not pay again. A kill leaves the rule out for the cluster
 * whose archive it was; only kills on several clusters leave it out for all, since a missing hit looks like a resolved issue to the
 * owners and one hostile archive must not be able to cause that for others. Both end by themselves. Lost when the process ends.
 */
import type { Clock } from '../../platform/clock/clock.ts';

export interface RuleQuarantineOptions {
  readonly clock: Clock;
  readonly quarantineMs: number;
  /** Different clusters that make it general. */
  readonly clustersMin: number;
  readonly pairsMax: number;
}

export class RuleQuarantine {
  readonly #options: RuleQuarantineOptions;
  /** By rule and cluster, oldest first; value is the monotonic time of its end. */
  readonly #pairs = new Map<string, { readonly rule: string; readonly cluster: string; readonly untilMs: number }>();
  readonly #general = new Map<string, number>();

  constructor(options: RuleQuarantineOptions) {
    this.#options = options;
  }

  /** Called after a kill; true when the rule is now left out for every cluster, and was not before. */
  add(rule: string, cluster: string): boolean {
    this.#expire();
    const untilMs = this.#options.clock.monotonicMs() + this.#options.quarantineMs;
    const key = `${rule}\n${cluster}`;
    this.#pairs.delete(key);
    this.#pairs.set(key, { rule, cluster, untilMs });
    for (const oldest of this.#pairs.keys()) {
      if (this.#pairs.size <= this.#options.pairsMax) break;
      this.#pairs.delete(oldest);
    }
    const clusters = [...this.#pairs.values()].filter((pair) => pair.rule === rule).length;
    if (clusters < this.#options.clustersMin) return false;
    const isNew = !this.#general.has(rule);
    this.#general.set(rule, untilMs);
    return isNew;
  }

  /** Modules of rules to leave out for that cluster now. */
  leftOutFor(cluster: string): Set<string> {
    this.#expire();
    const rules = new Set(this.#general.keys());
    for (const pair of this.#pairs.values()) if (pair.cluster === cluster) rules.add(pair.rule);
    return rules;
  }

  /** Rules left out for every cluster. */
  general(): readonly string[] {
    this.#expire();
    return [...this.#general.keys()];
  }

  #expire(): void {
    const now = this.#options.clock.monotonicMs();
    // Oldest first, and all last equally long: the first that still counts ends the search.
    for (const [key, pair] of this.#pairs) {
      if (pair.untilMs > now) break;
      this.#pairs.delete(key);
    }
    for (const [rule, untilMs] of this.#general) if (untilMs <= now) this.#general.delete(rule);
  }
}
