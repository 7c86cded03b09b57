/**
 * A logged-in session with Vault: one token for all reads, renewed at two thirds of its life, replaced by a new login when it cannot
 * be renewed further. Used by `vault-secrets.ts` only.
 */
import type { Clock } from '../../clock/clock.ts';
import { vaultRefreshMs } from '../secret-source.ts';
import type { VaultClient } from './vault-client.ts';
import { logIn, renew, type VaultLease } from './vault-login.ts';
import type { VaultAuth } from './vault-settings.ts';

/** The share of a token's life after which it is renewed: a third is left to try again. */
const vaultRenewAtShare = 2 / 3;
/** Pause after a failed renewal and login. */
export const vaultRenewRetryMs = 5_000;
/** A lease shorter than this is renewed no more often than this. */
const vaultRenewMsMin = 1_000;
/** Longest pause between two renewals; a longer sleep would overflow the timer (2^31 ms), and a token may live 32 days. */
const vaultRenewMsMax = 24 * 3_600_000;
/** Below this share of the first lease a renewal was clipped by the token's maximum life: a new login is due. */
const vaultClippedShare = 1 / 3;

export interface VaultSession {
  /** A token that is valid as far as we know; logs in when there is none. Concurrent callers share one login. */
  token(): Promise<string>;
  /** Forgets this token after Vault refused it; the next `token()` logs in. A token that was replaced meanwhile is left alone. */
  discard(token: string): void;
  close(): Promise<void>;
}

interface VaultSessionDependencies {
  readonly client: VaultClient;
  readonly auth: VaultAuth;
  readonly clock: Clock;
  /** A renewal failed; the token is used as long as it lives. */
  readonly onRenewalFailed: (error: unknown) => void;
}

export function createVaultSession({ client, auth, clock, onRenewalFailed }: VaultSessionDependencies): VaultSession {
  const closing = new AbortController();
  const { signal } = closing;
  let lease: VaultLease | undefined;
  let login: Promise<VaultLease> | undefined;
  /** One loop per token that is kept alive. */
  const keepers = new Map<string, Promise<void>>();

  const logInOnce = () => {
    login ??= logIn(client, auth, signal)
      .then((fresh) => {
        lease = fresh;
        if (fresh.lifeMs > 0 && !keepers.has(fresh.token)) keepers.set(fresh.token, keepAlive(fresh));
        return fresh;
      })
      .finally(() => {
        login = undefined;
      });
    return login;
  };

  /** Ends when its token was replaced or forgotten; whoever replaced it has a loop of his own. */
  const keepAlive = async (first: VaultLease) => {
    let current = first;
    try {
      while (current.lifeMs > 0) {
        const pauseMs = Math.max(vaultRenewMsMin, current.lifeMs * vaultRenewAtShare);
        await clock.sleep(Math.min(vaultRenewMsMax, pauseMs), signal);
        if (lease?.token !== first.token) break;
        current = await prolong(current, first.lifeMs);
        if (current.token !== first.token) break;
      }
    } catch (error) {
      if (!signal.aborted) onRenewalFailed(error);
    } finally {
      keepers.delete(first.token);
    }
  };

  /** Renews; where that fails or has come to its end, logs in; where that fails too, tries both again until the session is closed. */
  const prolong = async (current: VaultLease, grantedMs: number): Promise<VaultLease> => {
    for (let pauseMs = vaultRenewRetryMs; ; pauseMs = Math.min(pauseMs * 2, vaultRefreshMs)) {
      try {
        const renewed = current.renewable ? await renew(client, current.token, signal) : undefined;
        return renewed !== undefined && renewed.lifeMs >= grantedMs * vaultClippedShare ? renewed : await logInOnce();
      } catch (error) {
        signal.throwIfAborted();
        onRenewalFailed(error);
      }
      try {
        // A token that is revoked or past its maximum life cannot be renewed, but perhaps replaced.
        return await logInOnce();
      } catch {
        signal.throwIfAborted();
        await clock.sleep(pauseMs, signal);
      }
    }
  };

  return {
    async token() {
      return (lease ?? (await logInOnce())).token;
    },
    discard(token) {
      if (lease?.token === token) lease = undefined;
    },
    async close() {
      closing.abort();
      await Promise.allSettled(keepers.values());
      lease = undefined;
    },
  };
}
