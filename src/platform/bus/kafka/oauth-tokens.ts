/**
 * Tokens for SASL/OAUTHBEARER by the client credentials grant. The adapter asks at every login; logins are rare (once per connection and
 * when the broker's session ends), so each gets a fresh token and nothing has to be kept or watched for expiry.
 */
import { z } from 'zod';
import { CcxError } from '../../../encoding/ccx-error.ts';
import { parseJsonBytes } from '../../../encoding/json-text.ts';
import { callHttp, type HttpAnswer, type HttpCall } from '../../http/http-client.ts';
import { unreachable } from '../bus-errors.ts';

interface OauthTokenOptions {
  readonly url: string;
  readonly clientId: string;
  readonly clientSecret: string;
  readonly scope?: string;
}

const tokenAnswer = z.object({ access_token: z.string().min(1) });

/** The function throws `BUS_AUTH` when the token service refuses, and `BUS_UNREACHABLE` when it is away or busy. */
export function createOauthTokens(options: OauthTokenOptions): () => Promise<string> {
  const credentials = [options.clientId, options.clientSecret].map(encodeURIComponent).join(':');
  const body = new URLSearchParams({ grant_type: 'client_credentials' });
  if (options.scope !== undefined && options.scope !== '') body.set('scope', options.scope);
  return async () => {
    const answer = await ask(options.url, {
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
    if (answer.status >= 500 || mayPass.has(answer.status)) {
      throw away(`the token service answered ${answer.status}`, undefined);
    }
    throw new CcxError(`the token service answered ${answer.status} and no token`, {
      code: 'BUS_AUTH',
      category: 'configuration',
      hint: 'change bus.oauth_token_url, bus.sasl_user or bus.sasl_password',
    });
  };
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

function away(message: string, cause: unknown): CcxError {
  return unreachable(`no token for the Kafka brokers: ${message}`, cause, 'check bus.oauth_token_url and its service');
}
