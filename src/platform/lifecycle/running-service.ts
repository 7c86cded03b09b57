/** What every service's composition root answers with, so that one process can run one service or all of them. */

export interface Readiness {
  readonly ready: boolean;
  /** Empty when ready; otherwise what is missing, one short sentence each. */
  readonly reasons: readonly string[];
  /** What is worth knowing although it is ready. */
  readonly notes?: readonly string[];
}

export interface RunningService {
  readonly name: string;
  /** Whether it can do its work now; served as `GET /ready`. */
  readiness(): Promise<Readiness>;
  /** True when it has nothing in flight and has seen everything that is there to see; what `--once` waits for. */
  idle(): Promise<boolean>;
  /** Finishes or releases what is in flight and frees everything. Never throws. */
  stop(): Promise<void>;
}
