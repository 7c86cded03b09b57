/**
 * Keeps a cluster's reports its own organization's, where uploads come with tokens: asks who owns it, and records the first one who proves
 * to. While the database is away what was known before still holds; a cluster that was never seen has to wait then.
 */
import { CcxError, errorCode } from '../../encoding/ccx-error.ts';
import type { Claimant } from '../../platform/auth/authenticator.ts';
import type { TokenTable } from '../../platform/auth/token-table.ts';
import type { Clock } from '../../platform/clock/clock.ts';
import { within } from '../../platform/clock/deadline.ts';
import type { ClusterOwner, ClusterOwners } from '../../platform/records/cluster-owners.ts';
import { Late } from './late.ts';
import type { IngressEvents } from './telemetry.ts';

/** How long the database may take to say whose a cluster is; the operator waits a minute for its answer. */
const ownerLookupMsMax = 5_000;
/** Owners that are known without the database; one is about 150 bytes. */
const rememberedOwnersMax = 100_000;

interface ClusterGuardOptions {
  /** Absent without a database: then only what the token file binds is enforced. */
  readonly owners: ClusterOwners | undefined;
  readonly tokens: TokenTable;
  readonly clock: Clock;
  readonly events: IngressEvents;
}

export class ClusterGuard {
  readonly #options: ClusterGuardOptions;
  /** What the database said last, for the time that it is away. */
  readonly #remembered = new Map<string, ClusterOwner>();
  readonly #prepared = new Late(() => this.#prepare());
  #troubled = false;

  constructor(options: ClusterGuardOptions) {
    this.#options = options;
  }

  /** At the start. A database that is away is waited for by the uploads; one that cannot be used at all ends the start. */
  async open(): Promise<void> {
    try {
      await this.#prepared.get();
    } catch (error) {
      if (!(error instanceof CcxError && error.retryable)) throw error;
      this.#fail(error);
    }
  }

  /** What may be done for this cluster. Rejects with `OWNERS_UNAVAILABLE`. */
  async judge(claimant: Claimant): Promise<OwnershipDecision> {
    const boundTo = this.#options.tokens.boundTo(claimant.cluster);
    try {
      return decideOwnership(claimant, { owner: await this.#ownerOf(claimant.cluster), boundTo });
    } catch (error) {
      // The token file says whose it is; it is recorded with the first upload that finds the database again.
      if (claimant.proof === 'bound-token' && isUnavailable(error)) return 'own';
      throw error;
    }
  }

  /** One sentence while the database is away, for people. */
  trouble(): string | undefined {
    return this.#troubled ? 'whose the clusters are cannot be looked up: unknown ones have to wait' : undefined;
  }

  /** Records the claimant, unless somebody else was faster. Rejects with `OWNERS_UNAVAILABLE`. */
  async claim({ cluster, orgId, proof }: Claimant, tokenSha256: string | undefined): Promise<OwnershipDecision> {
    const { owners, clock } = this.#options;
    if (owners === undefined || orgId === undefined) return 'own';
    const claim = { cluster, orgId, bound: proof === 'bound-token', tokenSha256 };
    const owner = await this.#asked(() => owners.claim(claim, clock.nowMicros()));
    this.#remember(cluster, owner);
    return owner.orgId === orgId ? 'own' : 'refuse';
  }

  async #ownerOf(cluster: string): Promise<ClusterOwner | undefined> {
    const { owners } = this.#options;
    if (owners === undefined) return undefined;
    try {
      const owner = await this.#asked(() => owners.find(cluster));
      if (owner !== undefined) this.#remember(cluster, owner);
      return owner;
    } catch (error) {
      const remembered = this.#remembered.get(cluster);
      if (remembered === undefined) throw error;
      return remembered;
    }
  }

  async #asked<T>(work: () => Promise<T>): Promise<T> {
    const { clock, events } = this.#options;
    try {
      const answer = await within(this.#prepared.get().then(work), { clock, ms: ownerLookupMsMax }, () => {
        throw unavailable(`no answer within ${ownerLookupMsMax} ms`);
      });
      if (this.#troubled) events.ownersAvailable();
      this.#troubled = false;
      return answer;
    } catch (error) {
      this.#fail(error);
      throw isUnavailable(error) ? error : unavailable('', error);
    }
  }

  /** Said once, not with every upload. */
  #fail(error: unknown): void {
    if (!this.#troubled) this.#options.events.ownersUnavailable(error);
    this.#troubled = true;
  }

  async #prepare(): Promise<void> {
    const { owners, events } = this.#options;
    if (owners === undefined) return;
    await owners.prepare();
    const adopted = await owners.adoptReports();
    if (adopted > 0) events.ownersAdopted(adopted);
    // Oldest first, so that what is forgotten first is what was not seen for longest.
    const newest = await owners.newest(rememberedOwnersMax);
    for (const { cluster, orgId, bound } of newest.reverse()) this.#remember(cluster, { orgId, bound });
  }

  #remember(cluster: string, owner: ClusterOwner): void {
    this.#remembered.delete(cluster);
    this.#remembered.set(cluster, owner);
    const [oldest] = this.#remembered.keys();
    if (this.#remembered.size > rememberedOwnersMax) this.#remembered.delete(oldest!);
  }
}

/** `claim`: it may upload, and is to be recorded as the owner. */
type OwnershipDecision = 'own' | 'claim' | 'refuse';

/**
 * The order of who counts: a person or a bound token that has settled it, then what the token file binds the cluster to, then whoever was first.
 * `owner` is undefined where it is nobody yet, or nobody knows; `boundTo`: organizations whose tokens are bound to the cluster.
 */
function decideOwnership(
  { orgId, proof }: Claimant,
  { owner, boundTo }: { readonly owner: ClusterOwner | undefined; readonly boundTo: readonly number[] },
): OwnershipDecision {
  if (orgId === undefined) return 'refuse';
  if (owner?.bound === true) return owner.orgId === orgId ? 'own' : 'refuse';
  if (boundTo.length > 0 && !boundTo.includes(orgId)) return 'refuse';
  if (proof === 'bound-token') return 'claim';
  if (owner !== undefined) return owner.orgId === orgId ? 'own' : 'refuse';
  return proof === 'own-token' ? 'own' : 'claim';
}

function isUnavailable(error: unknown): boolean {
  return errorCode(error) === 'OWNERS_UNAVAILABLE';
}

function unavailable(why: string, cause?: unknown): CcxError {
  return new CcxError(`whose the cluster is cannot be looked up${why === '' ? '' : `: ${why}`}`, {
    code: 'OWNERS_UNAVAILABLE',
    category: 'connection',
    retryable: true,
    cause,
    hint: 'bring the database of database.url back',
  });
}
