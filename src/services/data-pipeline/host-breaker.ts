/**
 * Hosts that archives are fetched from and that do not answer. After failures of several announcements in a row a host is left alone: what
 * waits for it waits here, outside any place, and one announcement at a time, after a pause, tries whether it is back. The first answer lets all
 * others go on. Used by `pipeline.ts` before each attempt of a download.
 */
import { backoffMs } from '../../platform/clock/backoff.ts';
import type { Clock } from '../../platform/clock/clock.ts';
import { pause } from '../../platform/clock/deadline.ts';
import { type Waiter, waitInLine } from './waiting-line.ts';

/** Different announcements whose downloads from a host must have failed in a row before it is left alone. */
export const hostFailuresMin = 3;
const hostProbeMsMin = 500;
/** Longest pause before it is looked at again whether such a host is back. */
export const hostProbeMsMax = 10_000;

/** Hosts with failures that are remembered, beside those that are left alone. */
const hostsRememberedMax = 1_000;

interface HostBreakerOptions {
  readonly clock: Clock;
  readonly onOpened: (host: string) => void;
  readonly onClosed: (host: string) => void;
}

/** What came of an attempt. `unknown`: it was given up, or says nothing about the host. */
export type HostAnswer = 'answered' | 'failed' | 'unknown';

interface Host {
  /** Announcements that have failed since the last answer; bounded, since more than `hostFailuresMin` do not count. */
  readonly failing: Set<unknown>;
  isOpen: boolean;
  /** Attempts in a row that found it still away. */
  probes: number;
  isProbing: boolean;
  isPausing: boolean;
  readonly waiting: Waiter<boolean>[];
}

export class HostBreaker {
  readonly #options: HostBreakerOptions;
  readonly #hosts = new Map<string, Host>();
  readonly #closing = new AbortController();

  constructor(options: HostBreakerOptions) {
    this.#options = options;
  }

  /** Hosts that are left alone at the moment. */
  open(): readonly string[] {
    return [...this.#hosts].flatMap(([name, host]) => (host.isOpen ? [name] : []));
  }

  isOpen(name: string): boolean {
    return this.#hosts.get(name)?.isOpen === true;
  }

  /**
   * Resolves when the host may be asked; whoever it was resolved for calls `ended` once. True for the one who is to find out whether it is
   * back: all others must look again before they ask, since it may have gone meanwhile. Rejects with the signal's reason.
   */
  async admit(name: string, signal: AbortSignal): Promise<boolean> {
    signal.throwIfAborted();
    const host = this.#hosts.get(name);
    if (host === undefined || !host.isOpen) return false;
    if (!host.isProbing && !host.isPausing) {
      host.isProbing = true;
      return true;
    }
    return await waitInLine(host.waiting, {}, signal);
  }

  /** An admitted attempt has ended; `announcement` tells one from another, `isProbe` is what it was admitted as. */
  ended(name: string, announcement: unknown, isProbe: boolean, answer: HostAnswer): void {
    if (answer === 'answered') this.#close(name);
    else if (answer === 'failed') this.#failed(name, announcement, isProbe);
    else {
      const host = this.#hosts.get(name);
      if (isProbe && host?.isOpen === true) this.#probeNext(host);
    }
  }

  stop(): void {
    this.#closing.abort();
  }

  #close(name: string): void {
    const host = this.#hosts.get(name);
    if (host === undefined) return;
    this.#hosts.delete(name);
    if (host.isOpen) this.#options.onClosed(name);
    host.isOpen = false;
    for (const { grant } of host.waiting.splice(0)) grant(false);
  }

  #failed(name: string, announcement: unknown, isProbe: boolean): void {
    const host = this.#host(name);
    if (host.isOpen) {
      // An attempt from before it was left alone says nothing new.
      if (isProbe) void this.#pause(host);
      return;
    }
    host.failing.add(announcement);
    if (host.failing.size < hostFailuresMin) return;
    host.isOpen = true;
    host.failing.clear();
    this.#options.onOpened(name);
    void this.#pause(host);
  }

  /** After a while one of those that wait tries; the pause doubles up to a bound. */
  async #pause(host: Host): Promise<void> {
    const { clock } = this.#options;
    host.isProbing = false;
    host.isPausing = true;
    host.probes += 1;
    const bounds = { msMin: hostProbeMsMin, msMax: hostProbeMsMax };
    await pause(clock, backoffMs(bounds, host.probes, clock.random()), this.#closing.signal);
    host.isPausing = false;
    if (host.isOpen && !this.#closing.signal.aborted) this.#probeNext(host);
  }

  #probeNext(host: Host): void {
    const next = host.waiting.shift();
    host.isProbing = next !== undefined;
    next?.grant(true);
  }

  /** Failures of ever new hosts are not collected without end; one that is left alone is not forgotten. */
  #forgetOldest(): void {
    for (const [name, host] of this.#hosts) {
      if (this.#hosts.size <= hostsRememberedMax) return;
      if (!host.isOpen) this.#hosts.delete(name);
    }
  }

  #host(name: string): Host {
    let host = this.#hosts.get(name);
    if (host === undefined) {
      host = { failing: new Set(), isOpen: false, probes: 0, isProbing: false, isPausing: false, waiting: [] };
      this.#hosts.set(name, host);
      this.#forgetOldest();
    }
    return host;
  }
}
