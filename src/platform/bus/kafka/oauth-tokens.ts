/**
 * Tokens for SASL/OAUTHBEARER by the client credentials grant. The adapter asks at every login; logins are rare (once per connection and
 * when the broker's session ends), so each gets a fresh token and nothing has to be kept or watched for expiry.
 */
import { z } from 'zod';
import { CcxError } from '../../../encoding/ccx-error.ts';
import { parseJsonBytes } from '../../../encoding/json-text.ts';
import { callHttp, type HttpAnswer, type HttpCall } from '../../http/http-client.ts';
import { unreachable } from '../bus-errors.ts';

const tokenAnswer = z.object({ access_token: z.string().min(1) });

/** One token. Throws `BUS_AUTH` when the token service refuses, and `BUS_UNREACHABLE` when it is away or busy. */
export async function oauthToken(service: {
  readonly url: string;
  readonly clientId: string;
  readonly clientSecret: string;
  /** Empty: none is asked for. */
  readonly scope: string;
}): Promise<string> {
  const credentials = [service.clientId, service.clientSecret].map(encodeURIComponent).join(':');
  const body = new URLSearchParams({ grant_type: 'client_credentials' });
  if (service.scope !== '') body.set('scope', service.scope);
  const answer = await ask(service.url, {
    method: 'POST',
    headers: {
      authorization: `Basic ${Buffer.from(credentials, 'utf8').toString('base64')}`,
      'content-type': 'application/x-www-form-urlencoded',
      accept: 'application/json',
    },
    body: body.toString(),
  });
  const parsed = answer.status === 200 ? tokenAnswer.safeParse(parseJsonBytes(answer.body)) : undefined;
  if (parsed?.success === true) return parsed.data.access_token;
  const what = `the token service answered ${answer.status}`;
  if (answer.status >= 500 || mayPass.has(answer.status)) throw away(what);
  throw new CcxError(`${what} and no token`, {
    code: 'BUS_AUTH',
    category: 'configuration',
    hint: 'change bus.oauth_token_url, bus.sasl_user or bus.sasl_password',
  });
}

/** Request Timeout, Too Early, Too Many Requests: not a word about the credentials. */
const mayPass: ReadonlySet<number> = new Set([408, 425, 429]);

/** Less than `connectMsMax`, which counts for the connection and the login together: the reason should be told, not that one's time. */
const tokenMsMax = 4_000;

async function ask(url: string, call: HttpCall): Promise<HttpAnswer> {
  try {
    return await callHttp(url, { ...call, deadlineMs: tokenMsMax });
  } catch (cause) {
    if (cause instanceof CcxError && cause.retryable) throw away(cause.message, cause);
    throw cause;
  }
}

function away(message: string, cause?: unknown): CcxError {
  return unreachable(`no token for the Kafka brokers: ${message}`, 'check bus.oauth_token_url and its service', cause);
}
