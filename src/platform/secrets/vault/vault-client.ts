/**
 * One call to the HTTP API of Vault or OpenBao (they are the same, under `/v1`), with its status codes turned into errors that say
 * what to change. What Vault writes into its errors is never repeated: nobody can promise that it holds no secret.
 * Source: consumers.md 3.
 */
import { z } from 'zod';
import { CcxError } from '../../../encoding/ccx-error.ts';
import { parseJsonBytes } from '../../../encoding/json-text.ts';
import { backoffMs } from '../../clock/backoff.ts';
import type { Clock } from '../../clock/clock.ts';
import { certificateRefusal, codesAlongCauses } from '../../http/certificate-refusal.ts';
import { callHttp, type HttpAnswer } from '../../http/http-client.ts';
import type { VaultSettings } from './vault-settings.ts';

/** One call to Vault: it answers from memory, and a start must fail fast. */
const vaultCallMsMax = 5_000;
/** Answers hold a handful of fields of at most `secretBytesMax`. */
const vaultAnswerBytesMax = 1024 * 1024;
/** Calls per request while Vault is sealed, on standby or catching up; then the last good value has to do. */
const vaultTriesMax = 3;
/** Pauses between them. */
const vaultRetry = { msMin: 200, msMax: 1_000 };

interface VaultRequest {
  readonly method: 'GET' | 'POST';
  /** Below `/v1`, e.g. `auth/approle/login`. */
  readonly path: string;
  readonly token?: string;
  readonly body?: Readonly<Record<string, unknown>>;
  /** Where the answer matters little: one try, and no longer than this. */
  readonly onceWithinMs?: number;
  readonly signal?: AbortSignal;
}

export type VaultClient = ReturnType<typeof createVaultClient>;

/** Sealed or in maintenance, standby, standby of another region, not yet caught up, too many requests. */
const transientStatuses = new Set([412, 429, 472, 473, 500, 502, 503, 504]);

export function createVaultClient(settings: VaultSettings, clock: Clock) {
  return {
    /**
     * The answer's JSON document; also that of a 404, by which a deleted secret differs from one that never was.
     * Codes: `VAULT_UNREACHABLE`, `VAULT_SEALED`, `VAULT_NOT_INITIALISED`, `VAULT_UNAVAILABLE` (retryable, tried again here first),
     * `VAULT_TLS`, `VAULT_FORBIDDEN`, `VAULT_REFUSED`, `VAULT_ANSWER`, `VAULT_TOKEN`.
     */
    async call(request: VaultRequest): Promise<{ readonly status: number; readonly document: unknown }> {
      for (let tries = 1; ; tries += 1) {
        try {
          return readAnswer(settings, request, await send(settings, request));
        } catch (error) {
          if (!(error instanceof CcxError) || !error.retryable) throw error;
          if (request.onceWithinMs !== undefined || tries >= vaultTriesMax) {
            throw error.code === 'VAULT_SEALED' ? await whySealed(settings, request, error) : error;
          }
          await clock.sleep(backoffMs(vaultRetry, tries, clock.random()), request.signal);
        }
      }
    },
  };
}

async function send(settings: VaultSettings, request: VaultRequest): Promise<HttpAnswer> {
  const headers: Record<string, string> = { 'X-Vault-Request': 'true' };
  if (request.token !== undefined) headers['X-Vault-Token'] = headerSafe(request.token);
  if (settings.namespace !== '') headers['X-Vault-Namespace'] = settings.namespace;
  if (request.body !== undefined) headers['Content-Type'] = 'application/json';
  const call = {
    method: request.method,
    headers,
    deadlineMs: request.onceWithinMs ?? vaultCallMsMax,
    answerBytesMax: vaultAnswerBytesMax,
    ...(request.body === undefined ? {} : { body: JSON.stringify(request.body) }),
    ...(request.signal === undefined ? {} : { signal: request.signal }),
    ...(settings.tls === undefined ? {} : { tls: settings.tls() }),
  };
  const url = `${settings.address}/v1/${request.path}`;
  try {
    const answer = await callHttp(url, call);
    const leader = leaderOf(url, answer);
    return leader === undefined ? answer : await callHttp(leader, call);
  } catch (cause) {
    throw unreached(settings.address, cause);
  }
}

function unreached(address: string, cause: unknown): CcxError {
  const refusal = certificateRefusal(cause);
  if (refusal !== undefined) {
    return new CcxError(`the certificate of Vault at ${address} is refused (${refusal})`, {
      code: 'VAULT_TLS',
      category: 'configuration',
      cause,
      hint:
        refusal === 'ERR_TLS_CERT_ALTNAME_INVALID'
          ? 'let vault.address hold a name or address that the certificate is for, or name it in vault.tls_server_name (VAULT_TLS_SERVER_NAME)'
          : 'name the certificate authority of Vault in vault.ca_file (VAULT_CACERT)',
    });
  }
  if (codesAlongCauses(cause).some((code) => clientCertificateAlerts.test(code))) {
    return new CcxError(`Vault at ${address} does not accept the client certificate, or wants one`, {
      code: 'VAULT_TLS',
      category: 'configuration',
      cause,
      hint: 'set vault.client_cert_file (VAULT_CLIENT_CERT) and vault.client_key_file (VAULT_CLIENT_KEY) to what Vault trusts',
    });
  }
  return new CcxError(`Vault cannot be reached at ${address}`, {
    code: 'VAULT_UNREACHABLE',
    category: 'connection',
    retryable: true,
    cause,
    hint: 'check vault.address (VAULT_ADDR), its http:// or https://, and the network',
  });
}

/** How a server says in the handshake that it refuses ours, as Node names the alert. */
const clientCertificateAlerts =
  /^ERR_SSL_.*ALERT_(CERTIFICATE_REQUIRED|BAD_CERTIFICATE|UNSUPPORTED_CERTIFICATE|CERTIFICATE_(REVOKED|EXPIRED|UNKNOWN)|UNKNOWN_CA)$/;

const sealStatus = z.object({ initialized: z.boolean(), sealed: z.boolean() });

/** 503 has several reasons, which the body does not tell apart; this call needs no token. */
async function whySealed(settings: VaultSettings, { signal }: VaultRequest, sealed: CcxError): Promise<CcxError> {
  const status = await send(settings, { method: 'GET', path: 'sys/seal-status', signal }).then(
    (answer) => sealStatus.safeParse(parseJsonBytes(answer.body)).data,
    () => undefined,
  );
  if (status?.initialized === false) {
    const hint = 'initialise it (bao operator init) and unseal it, or change vault.address';
    return failure(`Vault at ${settings.address} is not initialised`, 'VAULT_NOT_INITIALISED', true, hint);
  }
  if (status?.sealed !== false) return sealed;
  return failure(
    `Vault at ${settings.address} is in maintenance, or has no leader`,
    'VAULT_UNAVAILABLE',
    true,
    'check the state of Vault',
  );
}

/** The HTTP client quotes a header value that it cannot send, so it must never see one. */
function headerSafe(token: string): string {
  if (/^[\u0021-\u007e]+$/.test(token)) return token;
  throw failure('the Vault token holds characters that no token has', 'VAULT_TOKEN', false, 'check vault.token');
}

/** A standby node sends on to the active one. Followed once and never from https to http: the token goes along. */
function leaderOf(url: string, answer: HttpAnswer): string | undefined {
  const location = answer.headers.get('location');
  if (answer.status !== 307 || location === null) return undefined;
  const target = URL.parse(location, url);
  return target !== null && target.protocol === new URL(url).protocol ? target.href : undefined;
}

function readAnswer(settings: VaultSettings, request: VaultRequest, answer: HttpAnswer) {
  const { status } = answer;
  if (status === 503) {
    throw failure(`Vault at ${settings.address} is sealed`, 'VAULT_SEALED', true, 'unseal Vault');
  }
  if (transientStatuses.has(status)) {
    throw failure(
      `Vault at ${settings.address} answers ${status}`,
      'VAULT_UNAVAILABLE',
      true,
      'check the state of Vault',
    );
  }
  if (status === 403) {
    throw failure(
      `Vault does not permit ${request.method} ${request.path}`,
      'VAULT_FORBIDDEN',
      false,
      `the token or role is invalid, or its policy lacks ${request.path} (for KV version 2 with data/ in the path); check vault.auth, vault.mount, vault.kv_version and vault.namespace`,
    );
  }
  if (status === 204) return { status, document: {} };
  if (status !== 200 && status !== 404) {
    throw failure(
      `Vault refuses ${request.method} ${request.path} with ${status}`,
      'VAULT_REFUSED',
      false,
      'check vault.address, its http:// or https://, and vault.auth',
    );
  }
  try {
    return { status, document: JSON.parse(answer.body.toString('utf8')) as unknown };
  } catch {
    // The cause would quote the body.
    throw failure(
      `${settings.address} does not answer like Vault`,
      'VAULT_ANSWER',
      false,
      'check vault.address: is something else, such as a proxy, listening there?',
    );
  }
}

function failure(message: string, code: string, retryable: boolean, hint: string): CcxError {
  return new CcxError(message, { code, category: retryable ? 'connection' : 'configuration', retryable, hint });
}
