/**
 * Tokens for SASL/OAUTHBEARER by the client credentials grant. The adapter asks at every login; logins are rare (once per connection and
 * when the broker's session ends), so each gets a fresh token and nothing has to be kept or watched for expiry.
 */
import { z } from 'zod';
import { CcxError } from '../../../contracts/ccx-error.ts';
import { callHttp } from '../../http/http-client.ts';

export interface OauthTokenOptions {
  readonly url: string;
  readonly clientId: string;
  readonly clientSecret: string;
  readonly scope?: string;
}

const tokenAnswer = z.object({ access_token: z.string().min(1) });

/** The function throws `BUS_AUTH` when the token service refuses, and the HTTP client's errors when it is away. */
export function createOauthTokens(options: OauthTokenOptions): () => Promise<string> {
  const credentials = [options.clientId, options.clientSecret].map(encodeURIComponent).join(':');
  const body = new URLSearchParams({ grant_type: 'client_credentials' });
  if (options.scope !== undefined && options.scope !== '') body.set('scope', options.scope);
  return async () => {
    const answer = await callHttp(options.url, {
      method: 'POST',
      headers: {
        authorization: `Basic ${Buffer.from(credentials, 'utf8').toString('base64')}`,
        'content-type': 'application/x-www-form-urlencoded',
        accept: 'application/json',
      },
      body: body.toString(),
    });
    const parsed = answer.status === 200 ? tokenAnswer.safeParse(parseJson(answer.body)) : undefined;
    if (parsed?.success === true) return parsed.data.access_token;
    throw new CcxError(`the token service answered ${answer.status} and no token`, {
      code: 'BUS_AUTH',
      category: 'configuration',
      retryable: answer.status >= 500,
      hint: 'change bus.oauth_token_url, bus.sasl_user or bus.sasl_password',
    });
  };
}

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    return undefined;
  }
}
