/**
 * Calls to a receiver of the operator's own over HTTP: address, authorization, certificates and proxy as they are configured, read again
 * where they come from files or Vault. Redirects are never followed, and no error names more of an address than its host.
 */
import { CcxError } from '../../../encoding/ccx-error.ts';
import { callHttp, type HttpAnswer, type HttpCall } from '../../../platform/http/http-client.ts';
import type { SecretSource } from '../../../platform/secrets/secret-source.ts';
import type { HttpReceiverSettings } from '../receivers/receiver-entry.ts';
import { maskedUrl, urlFault } from '../receivers/receiver-settings.ts';
import { readReceiverTls } from './receiver-tls.ts';

/** Answers say a word at most. */
const answerBytesMax = 64 * 1024;

interface HttpReceiver {
  /** Scheme and host, as far as they are known without asking Vault. */
  readonly address: string;
  /** Rejects with the codes of `callHttp`, of secrets, `RECEIVER_URL` and `RECEIVER_FILE`. */
  post(body: string, headers: Readonly<Record<string, string>>, signal: AbortSignal): Promise<HttpAnswer>;
}

export function createHttpReceiver(settings: HttpReceiverSettings, secrets: SecretSource): HttpReceiver {
  const caller = createHttpCaller(settings, secrets);
  return {
    address: caller.addressOf(settings.url.configured),
    async post(body, headers, signal) {
      const address = caller.checked((await caller.url()).trim());
      return await callHttp(address, {
        ...(await caller.call(headers)),
        ...{ method: 'POST', body, answerBytesMax, signal },
      });
    },
  };
}

/** What calls to one receiver have in common, whatever it is asked. */
export interface HttpCaller {
  /** Of one configured address as anybody may see it. */
  addressOf(configured: string): string;
  /** As it is configured now: one address, or of some types several. */
  url(): Promise<string>;
  /** The same address; throws `RECEIVER_URL` where it may not be called. */
  checked(address: string): string;
  /** Headers with the authorization of now, certificates and proxy. Rejects with codes of secrets and `RECEIVER_FILE`. */
  call(headers: Readonly<Record<string, string>>): Promise<Pick<HttpCall, 'headers' | 'deadlineMs' | 'way'>>;
}

export function createHttpCaller(settings: HttpReceiverSettings, secrets: SecretSource): HttpCaller {
  const { timeoutMs, proxyUrl, allowLinkLocal, authorization } = settings;
  const url = secrets.secret(settings.url);
  const credential =
    authorization.kind === 'none'
      ? undefined
      : secrets.secret(authorization.kind === 'bearer' ? authorization.token : authorization.password);
  const authorized = async (): Promise<Readonly<Record<string, string>>> => {
    if (credential === undefined) return {};
    const value = await credential.value();
    if (authorization.kind !== 'basic') return { authorization: `Bearer ${value}` };
    return { authorization: `Basic ${Buffer.from(`${authorization.username}:${value}`, 'utf8').toString('base64')}` };
  };
  return {
    addressOf: (configured) => (configured.startsWith('vault:') ? '(in Vault)' : maskedUrl(configured)),
    url: () => url.value(),
    checked(address) {
      const fault = urlFault(address, allowLinkLocal);
      if (fault === undefined) return address;
      throw new CcxError(`${settings.url.setting} ${fault.message}`, {
        code: 'RECEIVER_URL',
        category: 'configuration',
        hint: fault.hint,
      });
    },
    async call(headers) {
      return {
        headers: { ...settings.headers, ...headers, ...(await authorized()) },
        deadlineMs: timeoutMs,
        way: { tls: await readReceiverTls(settings), proxyUrl, allowLinkLocal },
      };
    },
  };
}
