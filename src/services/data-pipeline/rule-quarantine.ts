/**
 * Remembers which rules took a runner down, so that the next archives do not pay again. A kill leaves the rule out for the cluster whose
 * archive it was. Kills on several clusters of one organization leave it out for that organization, and only kills in several organizations
 * leave it out for all: whoever uploads chooses cluster ids freely but not the organization, which his identity says, and one hostile
 * party must not be able to silence a rule for others. All end by themselves. Lost when the process ends.
 */
import type { Clock } from '../../platform/clock/clock.ts';

/** Whose archive it is, as the announcement says: an id that somebody else names is not the same cluster. */
interface Sender {
  readonly orgId: number;
  /** Without one all such archives of an organization count as one cluster. */
  readonly clusterId: string | undefined;
}

const quarantineLimits = {
  /** Different clusters of an organization on which a rule must have been killed before it is left out for that organization. */
  clustersMin: 3,
  /** Different organizations in which a rule must have been killed before it is left out for all. */
  organizationsMin: 3,
  /** Kills of one organization that are remembered, and of all; the oldest is forgotten first. */
  killsPerOrganizationMax: 100,
  killsMax: 2_000,
};

interface RuleQuarantineOptions extends Partial<typeof quarantineLimits> {
  readonly clock: Clock;
  readonly quarantineMs: number;
}

interface Kill {
  readonly rule: string;
  readonly orgId: number;
  readonly cluster: string;
  /** Monotonic. */
  readonly untilMs: number;
}

export class RuleQuarantine {
  readonly #options: Required<RuleQuarantineOptions>;
  /** By rule, organization and cluster, oldest first. */
  readonly #kills = new Map<string, Kill>();

  constructor(options: RuleQuarantineOptions) {
    this.#options = { ...quarantineLimits, ...options };
  }

  /** Called after a kill; true when the rule is now left out for everybody, and was not before. */
  add(rule: string, sender: Sender): boolean {
    const wasGeneral = this.#isGeneral(rule);
    const untilMs = this.#options.clock.monotonicMs() + this.#options.quarantineMs;
    const { orgId } = sender;
    const cluster = sender.clusterId ?? '';
    const key = `${rule}\n${orgId}\n${cluster}`;
    this.#kills.delete(key);
    this.#kills.set(key, { rule, orgId, cluster, untilMs });
    // An organization with many clusters pushes out its own kills, not those of others.
    this.#forgetOldest(this.#options.killsPerOrganizationMax, (kill) => kill.orgId === orgId);
    this.#forgetOldest(this.#options.killsMax, () => true);
    return !wasGeneral && this.#isGeneral(rule);
  }

  /** Modules of rules to leave out for that archive now. */
  leftOutFor(sender: Sender): Set<string> {
    const { clustersMin } = this.#options;
    const rules = new Set(this.general());
    const own = this.#current().filter(({ orgId }) => orgId === sender.orgId);
    for (const { rule, cluster } of own) {
      const isOrganizations = own.filter((kill) => kill.rule === rule).length >= clustersMin;
      if (isOrganizations || cluster === (sender.clusterId ?? '')) rules.add(rule);
    }
    return rules;
  }

  /** Rules left out for everybody. */
  general(): readonly string[] {
    return [...new Set(this.#current().map(({ rule }) => rule))].filter((rule) => this.#isGeneral(rule));
  }

  /** Every rule that is left out for somebody: for whom, and for how much longer at most. A person asks. */
  listed(): readonly { readonly rule: string; readonly for: string; readonly seconds: number }[] {
    const now = this.#options.clock.monotonicMs();
    return [...Map.groupBy(this.#current(), ({ rule }) => rule)].map(([rule, kills]) => {
      const organizations = new Set(kills.map(({ orgId }) => orgId)).size;
      const some = `${kills.length} clusters of ${organizations} organizations`;
      const seconds = Math.ceil((kills.at(-1)!.untilMs - now) / 1_000);
      return { rule, for: this.#isGeneral(rule) ? 'all clusters' : some, seconds };
    });
  }

  #isGeneral(rule: string): boolean {
    const organizations = this.#current().flatMap((kill) => (kill.rule === rule ? [kill.orgId] : []));
    return new Set(organizations).size >= this.#options.organizationsMin;
  }

  #current(): Kill[] {
    const now = this.#options.clock.monotonicMs();
    // Oldest first, and all last equally long: the first that still counts ends the search.
    for (const [key, { untilMs }] of this.#kills) {
      if (untilMs > now) break;
      this.#kills.delete(key);
    }
    return [...this.#kills.values()];
  }

  #forgetOldest(max: number, counts: (kill: Kill) => boolean): void {
    const keys = [...this.#kills].flatMap(([key, kill]) => (counts(kill) ? [key] : []));
    for (const key of keys.slice(0, Math.max(0, keys.length - max))) this.#kills.delete(key);
  }
}
