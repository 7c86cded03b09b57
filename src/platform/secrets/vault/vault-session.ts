/**
 * A logged-in session with Vault: one token for all reads, renewed at two thirds of its life, replaced by a new login when it cannot
 * be renewed further. Used by `vault-secrets.ts` only. Source: consumers.md 3.
 */
import { z } from 'zod';
import { CcxError, errorCode, errorFields } from '../../../encoding/ccx-error.ts';
import { backoffMs } from '../../clock/backoff.ts';
import type { Clock } from '../../clock/clock.ts';
import type { Telemetry } from '../../telemetry/telemetry.ts';
import { readSecretFile } from '../file-secret.ts';
import { vaultRefreshMs } from '../secret-source.ts';
import type { VaultClient } from './vault-client.ts';
import type { VaultAuth, VaultCredential } from './vault-settings.ts';

/** The share of a token's life after which it is renewed: a third is left to try again. */
const vaultRenewAtShare = 2 / 3;
/** Pauses after a failed renewal and login. */
const vaultRenewRetry = { msMin: 5_000, msMax: vaultRefreshMs };
/** A lease shorter than this is renewed no more often than this. */
const vaultRenewMsMin = 1_000;
/** Longest pause between two renewals; a longer sleep would overflow the timer (2^31 ms), and a token may live 32 days. */
const vaultRenewMsMax = 24 * 3_600_000;
/** The end of a token that is not needed any more; it also ends by itself. */
const vaultRevokeMsMax = 2_000;
/** Below this share of the first lease a renewal was clipped by the token's maximum life: a new login is due. */
const vaultClippedShare = 1 / 3;

export type VaultSession = ReturnType<typeof createVaultSession>;

export function createVaultSession(client: VaultClient, auth: VaultAuth, clock: Clock, log: Telemetry['log']) {
  const closing = new AbortController();
  const { signal } = closing;
  let lease: VaultLease | undefined;
  let login: Promise<VaultLease> | undefined;
  /** One loop per token that is kept alive. */
  const keepers = new Map<string, Promise<void>>();
  const revocations = new Set<Promise<void>>();

  /** The token is used as long as it lives. */
  const onRenewalFailed = (error: unknown) => log.warn(errorFields(error), 'the Vault token is not renewed');

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
    for (let attempt = 1; ; attempt += 1) {
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
        await clock.sleep(backoffMs(vaultRenewRetry, attempt, clock.random()), signal);
      }
    }
  };

  /** Of our own logins only: else each run of a cron job leaves one behind in Vault, for up to 32 days. Never waited for where it counts. */
  const revoke = (token: string) => {
    if (auth.kind === 'token') return;
    const revocation = client
      .call({ method: 'POST', path: 'auth/token/revoke-self', token, body: {}, onceWithinMs: vaultRevokeMsMax })
      .then(
        () => undefined,
        // It was refused already, or Vault is away.
        () => undefined,
      )
      .finally(() => revocations.delete(revocation));
    revocations.add(revocation);
  };

  return {
    /** A token that is valid as far as we know; logs in when there is none. Concurrent callers share one login. */
    async token() {
      return (lease ?? (await logInOnce())).token;
    },
    /** Forgets this token after Vault refused it; the next `token()` logs in. A token that was replaced meanwhile is left alone. */
    discard(token: string) {
      if (lease?.token !== token) return;
      lease = undefined;
      revoke(token);
    },
    async close() {
      closing.abort();
      await Promise.allSettled(keepers.values());
      if (lease !== undefined) revoke(lease.token);
      lease = undefined;
      await Promise.allSettled(revocations);
    },
  };
}

interface VaultLease {
  readonly token: string;
  /** How long the token lives from now on; 0 is for ever. */
  readonly lifeMs: number;
  readonly renewable: boolean;
}

const seconds = z.number().nonnegative();
const authAnswer = z.object({
  auth: z.object({ client_token: z.string().min(1), lease_duration: seconds, renewable: z.boolean() }),
});
const lookupAnswer = z.object({ data: z.object({ ttl: seconds, renewable: z.boolean().default(false) }) });

/** With the token that is given, or by AppRole or Kubernetes. Files are read at each login: tokens of service accounts and agents rotate. */
async function logIn(client: VaultClient, auth: VaultAuth, signal: AbortSignal): Promise<VaultLease> {
  switch (auth.kind) {
    case 'token':
      return lookUp(client, await credentialText(auth.token, 'vault.token'), signal);
    case 'approle': {
      const body = { role_id: auth.roleId, secret_id: await credentialText(auth.secretId, 'vault.secret_id') };
      return logInAt(client, auth.mount, body, {
        signal,
        hint: 'check vault.role_id, vault.secret_id (it may be used up, or have come to its end)',
      });
    }
    case 'kubernetes': {
      const body = { role: auth.role, jwt: await credentialText({ text: '', file: auth.jwtFile }, 'vault.jwt_file') };
      return logInAt(client, auth.mount, body, {
        signal,
        hint: `check vault.role, whether it is bound to the pod's service account and namespace, the token in vault.jwt_file`,
      });
    }
  }
}

/** Rejects with `VAULT_LOGIN` where the login itself is refused, or there is none at that mount. */
async function logInAt(
  client: VaultClient,
  mount: string,
  body: Readonly<Record<string, string>>,
  { signal, hint }: { readonly signal: AbortSignal; readonly hint: string },
): Promise<VaultLease> {
  const path = `auth/${mount}/login`;
  const refused = (cause?: unknown) =>
    new CcxError(`Vault refuses the login at ${path}`, {
      code: 'VAULT_LOGIN',
      category: 'configuration',
      cause,
      hint: `${hint}, vault.auth_mount and vault.namespace`,
    });
  const answer = await client.call({ method: 'POST', path, body, signal }).catch((error: unknown) => {
    throw ['VAULT_FORBIDDEN', 'VAULT_REFUSED'].includes(errorCode(error)) ? refused(error) : error;
  });
  if (answer.status === 404) throw refused();
  return leaseOf(answer);
}

/** Renews at the server; the answer's life may be clipped by the token's maximum. */
async function renew(client: VaultClient, token: string, signal: AbortSignal): Promise<VaultLease> {
  return leaseOf(await client.call({ method: 'POST', path: 'auth/token/renew-self', token, body: {}, signal }));
}

/** A token without the policy `default` may not be asked about itself, and may be good all the same: the read tells. */
const unknownLife = { data: { ttl: 0, renewable: false } };

async function lookUp(client: VaultClient, token: string, signal: AbortSignal): Promise<VaultLease> {
  const { document } = await client
    .call({ method: 'GET', path: 'auth/token/lookup-self', token, signal })
    .catch((error: unknown) => {
      if (errorCode(error) === 'VAULT_FORBIDDEN') return { document: unknownLife };
      throw error;
    });
  const parsed = lookupAnswer.safeParse(document);
  if (!parsed.success) throw unexpected('auth/token/lookup-self');
  return { token, lifeMs: parsed.data.data.ttl * 1000, renewable: parsed.data.data.renewable };
}

function leaseOf(answer: { readonly status: number; readonly document: unknown }): VaultLease {
  const parsed = authAnswer.safeParse(answer.document);
  if (answer.status !== 200 || !parsed.success) throw unexpected('the login');
  const { client_token: token, lease_duration: life, renewable } = parsed.data.auth;
  return { token, lifeMs: life * 1000, renewable };
}

async function credentialText(credential: VaultCredential, setting: string): Promise<string> {
  if (credential.file === undefined) return credential.text;
  try {
    return await readSecretFile(credential.file);
  } catch (cause) {
    throw new CcxError(`the file of ${setting} holds nothing to log in to Vault with: ${credential.file}`, {
      code: 'SECRET_FILE',
      category: 'configuration',
      cause,
      hint: `check the file that ${setting} names`,
    });
  }
}

/** Without the parser's text, which could quote the answer. */
function unexpected(what: string): CcxError {
  return new CcxError(`Vault's answer to ${what} has not the expected form`, {
    code: 'VAULT_ANSWER',
    category: 'configuration',
    hint: 'check vault.address, vault.auth_mount and vault.namespace',
  });
}
