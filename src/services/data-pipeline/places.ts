/**
 * The places in which archives are fetched, run and published: a bounded number, shared out among organizations. Announcements are read
 * ahead of them, so that what one organization sent before does not stand between another's archive and a place. Used by `pipeline.ts`.
 *
 * Who is next: of the organizations that wait, the one that holds the fewest places, then the one that was served longest ago; of its own
 * announcements, first attempts before further ones. No organization holds all places, and further attempts of downloads hold half of them at
 * most: neither slow archives of one sender nor hosts that do not answer can take what the others need.
 */
import { type Waiter, waitInLine } from './waiting-line.ts';

interface PlacesOptions {
  readonly placesMax: number;
  readonly perOrganizationMax: number;
  /** Places that further attempts may hold. */
  readonly furtherAttemptsMax: number;
  /** Called when somebody got a place before that organization, which waited longer. */
  readonly onPassedOver: (orgId: number) => void;
}

export interface Place {
  /** Counts the place as waiting while the work in it does. */
  during<T>(wait: Promise<T>): Promise<T>;
  /** Safe to call twice. */
  release(): void;
}

type PlaceWaiter = Waiter<Place, { readonly number: number; readonly isFurtherAttempt: boolean }>;

interface Organization {
  held: number;
  /** When it was last given a place, as a running number. */
  served: number;
  readonly first: PlaceWaiter[];
  readonly further: PlaceWaiter[];
}

export class Places {
  readonly #options: PlacesOptions;
  readonly #organizations = new Map<number, Organization>();
  #waiting = 0;
  #held = 0;
  #furtherHeld = 0;
  #number = 0;

  constructor(options: PlacesOptions) {
    this.#options = options;
  }

  /** Places that are in use. */
  inUse(): number {
    return this.#held;
  }

  /** Places whose work waits for something to come back. */
  waiting(): number {
    return this.#waiting;
  }

  /** Resolves when there is a place; rejects with the signal's reason. */
  acquire(orgId: number, isFurtherAttempt: boolean, signal: AbortSignal): Promise<Place> {
    if (signal.aborted) return Promise.reject(signal.reason);
    const organization = this.#organization(orgId);
    const line = isFurtherAttempt ? organization.further : organization.first;
    this.#number += 1;
    const request = { number: this.#number, isFurtherAttempt };
    const granted = waitInLine(line, request, signal, () => this.#forgetIdle(orgId, organization));
    this.#serve();
    return granted;
  }

  #serve(): void {
    while (this.#held < this.#options.placesMax) {
      const next = this.#next();
      if (next === undefined) return;
      const [orgId, organization, line] = next;
      const waiter = line.shift()!;
      this.#reportPassedOver(waiter, orgId);
      this.#number += 1;
      organization.served = this.#number;
      waiter.grant(this.#place(orgId, organization, waiter.isFurtherAttempt));
    }
  }

  /** The organization that is next and the line of its announcements to take from. */
  #next(): readonly [number, Organization, PlaceWaiter[]] | undefined {
    const { perOrganizationMax, furtherAttemptsMax } = this.#options;
    let best: readonly [number, Organization, PlaceWaiter[]] | undefined;
    for (const [orgId, organization] of this.#organizations) {
      if (organization.held >= perOrganizationMax) continue;
      const mayTryAgain = this.#furtherHeld < furtherAttemptsMax;
      const line = organization.first.length > 0 || !mayTryAgain ? organization.first : organization.further;
      if (line.length > 0 && (best === undefined || isBefore(organization, best[1]))) {
        best = [orgId, organization, line];
      }
    }
    return best;
  }

  #reportPassedOver(winner: PlaceWaiter, winnerOrgId: number): void {
    for (const [orgId, { first }] of this.#organizations) {
      if (orgId !== winnerOrgId && first.length > 0 && first[0]!.number < winner.number) {
        this.#options.onPassedOver(orgId);
      }
    }
  }

  #place(orgId: number, organization: Organization, isFurtherAttempt: boolean): Place {
    this.#held += 1;
    organization.held += 1;
    if (isFurtherAttempt) this.#furtherHeld += 1;
    let isHeld = true;
    return {
      during: async (wait) => {
        this.#waiting += 1;
        try {
          return await wait;
        } finally {
          this.#waiting -= 1;
        }
      },
      release: () => {
        if (!isHeld) return;
        isHeld = false;
        this.#held -= 1;
        organization.held -= 1;
        if (isFurtherAttempt) this.#furtherHeld -= 1;
        this.#forgetIdle(orgId, organization);
        this.#serve();
      },
    };
  }

  #organization(orgId: number): Organization {
    let organization = this.#organizations.get(orgId);
    if (organization === undefined) {
      organization = { held: 0, served: 0, first: [], further: [] };
      this.#organizations.set(orgId, organization);
    }
    return organization;
  }

  #forgetIdle(orgId: number, { held, first, further }: Organization): void {
    if (held === 0 && first.length === 0 && further.length === 0) this.#organizations.delete(orgId);
  }
}

function isBefore(one: Organization, other: Organization): boolean {
  return one.held === other.held ? one.served < other.served : one.held < other.held;
}
