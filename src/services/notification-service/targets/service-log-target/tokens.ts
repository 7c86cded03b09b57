/**
 * Access tokens for Service Log by OAuth 2 client credentials, as the reference's library asks for them. One token serves all calls until
 * shortly before its end; concurrent callers share one request; a token that was refused is replaced once, with credentials read anew,
 * since they may have been rotated. Source: notification-service.md 10.1, consumers.md 2.5.
 */
import { z } from 'zod';
import { CcxError } from '../../../../encoding/ccx-error.ts';
import { parseJsonBytes } from '../../../../encoding/json-text.ts';
import type { Clock } from '../../../../platform/clock/clock.ts';
import { callHttp, type HttpAnswer } from '../../../../platform/http/http-client.ts';
import type { Secret } from '../../../../platform/secrets/secret-source.ts';

/** Pauses between tries at the token endpoint after 5xx; 15 s together, as the reference's library. */
const tokenRetryPausesMs: readonly number[] = [1_000, 2_000, 4_000, 8_000];
/** One call to the token endpoint. */
const tokenCallMsMax = 10_000;
const tokenAnswerBytesMax = 256 * 1024;
/** A token is replaced this long before its end, so that it does not end on the way; short-lived ones after half their life. */
export const tokenMarginMs = 60_000;

export const TOKEN_URL_DEFAULT = 'https://sso.redhat.com/auth/realms/redhat-external/protocol/openid-connect/token';

/**
 * Both reject with `CcxError`s. `TOKEN_UNAVAILABLE` (retryable): no answer, or 5xx to the end. `TOKEN_REFUSED`: the client or the address
 * is wrong. `TOKEN_ANSWER` (retryable): an answer that holds no usable token. Errors of secrets keep their codes.
 */
export interface TokenSource {
  token(): Promise<string>;
  /** A token that is not the refused one, unless the endpoint gives out the same again. */
  replace(refused: string): Promise<string>;
  close(): void;
}

export interface TokenSourceOptions {
  readonly tokenUrl: string;
  readonly clientId: Secret;
  readonly clientSecret: Secret;
  readonly clock: Clock;
}

interface HeldToken {
  readonly token: string;
  /** On the monotonic clock. */
  readonly usableUntilMs: number;
}

export function createTokenSource(options: TokenSourceOptions): TokenSource {
  const { clock } = options;
  const closing = new AbortController();
  let held: HeldToken | undefined;
  let request: Promise<string> | undefined;

  const renew = (reload: boolean) => {
    request ??= requestToken(options, reload, closing.signal)
      .then((fresh) => {
        held = fresh;
        return fresh.token;
      })
      .finally(() => {
        request = undefined;
      });
    return request;
  };

  return {
    token: async () => (held !== undefined && clock.monotonicMs() < held.usableUntilMs ? held.token : renew(false)),
    replace: async (refused) => {
      if (held !== undefined && held.token !== refused) return held.token;
      held = undefined;
      return renew(true);
    },
    close: () => closing.abort(),
  };
}

async function requestToken(options: TokenSourceOptions, reload: boolean, signal: AbortSignal): Promise<HeldToken> {
  const credentials = await readCredentials(options, reload);
  try {
    return await exchange(options, credentials, signal);
  } catch (error) {
    if (!(error instanceof CcxError) || error.code !== 'TOKEN_REFUSED' || reload) throw error;
    const fresh = await readCredentials(options, true);
    if (fresh.id === credentials.id && fresh.secret === credentials.secret) throw error;
    return exchange(options, fresh, signal);
  }
}

type ClientCredentials = Awaited<ReturnType<typeof readCredentials>>;

async function readCredentials({ clientId, clientSecret }: TokenSourceOptions, reload: boolean) {
  const read = reload ? 'reload' : 'value';
  const [id, secret] = await Promise.all([clientId[read](), clientSecret[read]()]);
  return { id, secret };
}

/** 5xx is tried again with growing pauses, 15 s in all; everything else fails at once. */
async function exchange(
  options: TokenSourceOptions,
  credentials: ClientCredentials,
  signal: AbortSignal,
): Promise<HeldToken> {
  for (let tries = 0; ; tries += 1) {
    const answer = await post(options.tokenUrl, credentials, signal);
    if (answer.status < 500) return readToken(answer, options.clock);
    const pauseMs = tokenRetryPausesMs[tries];
    if (pauseMs === undefined || signal.aborted) throw unavailable(`the token endpoint answers ${answer.status}`);
    await options.clock.sleep(pauseMs, signal).catch((cause: unknown) => {
      throw unavailable(`the token endpoint answers ${answer.status}, and the service stops`, cause);
    });
  }
}

async function post(url: string, { id, secret }: ClientCredentials, signal: AbortSignal): Promise<HttpAnswer> {
  const form = new URLSearchParams({ client_id: id, grant_type: 'client_credentials', scope: 'openid' });
  try {
    return await callHttp(url, {
      method: 'POST',
      headers: {
        'Content-Type': 'application/x-www-form-urlencoded',
        Accept: 'application/json',
        Connection: 'close',
        Authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`,
      },
      body: form.toString(),
      deadlineMs: tokenCallMsMax,
      answerBytesMax: tokenAnswerBytesMax,
      signal,
    });
  } catch (cause) {
    throw unavailable('the token endpoint gives no answer', cause);
  }
}

/** As Go's library reads it: `null` is the same as nothing. */
const grantAnswer = z.object({
  access_token: z.string().min(1),
  token_type: z
    .string()
    .regex(/^bearer$/i)
    .nullish(),
  expires_in: z.number().nullish(),
});

function readToken(answer: HttpAnswer, clock: Clock): HeldToken {
  if (answer.status === 408 || answer.status === 429) throw unavailable(`the token endpoint answers ${answer.status}`);
  if (answer.status !== 200) throw refused(answer);
  if (!/^application\/([a-z.+-]+\+)?json\b/i.test(answer.headers.get('content-type') ?? '')) {
    throw unusable('is not JSON');
  }
  const parsed = grantAnswer.safeParse(parseJsonBytes(answer.body));
  if (!parsed.success) throw unusable(whatIsWrong(parsed.error.issues[0]?.path[0]));
  const { access_token: token, expires_in: expiresIn } = parsed.data;
  const lifeMs = lifeOf(token, expiresIn, clock);
  return { token, usableUntilMs: clock.monotonicMs() + lifeMs - Math.min(tokenMarginMs, lifeMs / 2) };
}

/** By the member that is not as it should be; its value is not shown. */
function whatIsWrong(member: PropertyKey | undefined): string {
  switch (member) {
    case 'access_token':
      return 'holds no access_token';
    case 'token_type':
      return 'holds a token whose token_type is not bearer';
    case 'expires_in':
      return 'holds an expires_in that is no number';
    default:
      return 'is no JSON object';
  }
}

const claimsOfInterest = z.object({ exp: z.number().nullish(), iat: z.number().nullish() });

/**
 * From now on. Differences of the other side's times come first, so that a clock that is off does no harm; a token without an end is
 * used until it is refused. Throws when the token is no JWT; that also makes it safe inside a header.
 */
function lifeOf(token: string, expiresInSeconds: number | null | undefined, clock: Clock): number {
  const parts = /^[\w-]+\.([\w-]+)\.[\w-]*$/.exec(token);
  const claims = claimsOfInterest.safeParse(
    parts === null ? undefined : parseJsonBytes(Buffer.from(parts[1]!, 'base64url')),
  );
  if (!claims.success) throw unusable('holds a token that is no JWT');
  const exp = claims.data.exp ?? 0;
  const iat = claims.data.iat ?? undefined;
  const ends: number[] = [];
  if (typeof expiresInSeconds === 'number') ends.push(expiresInSeconds * 1000);
  if (exp !== 0 && iat !== undefined) ends.push((exp - iat) * 1000);
  if (ends.length === 0 && exp !== 0) ends.push(exp * 1000 - clock.now().getTime());
  return Math.max(0, Math.min(...ends));
}

/** With the endpoint's short error name only: its description may quote what was sent. */
function refused(answer: HttpAnswer): CcxError {
  const name = z.object({ error: z.string().regex(/^[a-z_ ]{1,40}$/) }).safeParse(parseJsonBytes(answer.body));
  const reason = name.success ? ` (${name.data.error})` : '';
  return new CcxError(`the token endpoint refuses the client with ${answer.status}${reason}`, {
    code: 'TOKEN_REFUSED',
    category: 'configuration',
    hint: 'check service_log.client_id, service_log.client_secret and service_log.token_url',
  });
}

function unavailable(message: string, cause?: unknown): CcxError {
  return new CcxError(message, {
    code: 'TOKEN_UNAVAILABLE',
    category: 'connection',
    retryable: true,
    cause,
    hint: 'check service_log.token_url and the network',
  });
}

function unusable(what: string): CcxError {
  return new CcxError(`the answer of the token endpoint ${what}`, {
    code: 'TOKEN_ANSWER',
    category: 'connection',
    retryable: true,
    hint: 'check service_log.token_url: is something else, such as a proxy, answering there?',
  });
}
