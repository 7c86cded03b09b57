/**
 * A stand-in for the sign-on server's token endpoint: client credentials in, a token with an end out. Used by the all-in-one
 * demonstration and by tests; compatible on the wire with the mock of the public black-box suite. Source: consumers.md 2.5, 2.6.
 */
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Clock } from '../../../platform/clock/clock.ts';
import { createHttpServer } from '../../../platform/http/http-server.ts';
import { createFaultPlan, type Fault, playFault } from '../fault-plan.ts';
import { issueToken } from '../json-web-token.ts';
import { requestBytesMax } from '../record-file.ts';

/** How long the stand-in's tokens live: what the hosted endpoint grants. */
const tokenLifeSeconds = 900;

const TOKEN_PATH = '/auth/realms/redhat-external/protocol/openid-connect/token';

/** The only client that gets tokens, as in the black-box suite. */
export const clientId = 'CLIENT_ID';

interface TokenRequest {
  /** The form as it was sent, byte for byte. */
  readonly body: string;
  readonly authorization: string | undefined;
  readonly contentType: string | undefined;
  readonly accept: string | undefined;
}

export interface FakeTokenEndpoint {
  readonly url: string;
  /** What `service_log.token_url` is set to. */
  readonly tokenUrl: string;
  requests(): readonly TokenRequest[];
  /** Every token that was given out, oldest first. */
  tokens(): readonly string[];
  /** The next `count` requests meet the fault. */
  inject(fault: Fault, count?: number): void;
  /** Standing behaviour of the answers. */
  readonly behaviour: {
    clientSecret: string | undefined;
    /** `expires_in` and the token's own end. */
    lifeSeconds: number;
    contentType: string;
    tokenType: string;
    /** Given out instead of a token of ours. */
    accessToken: string | undefined;
  };
  stop(): Promise<void>;
}

/** On any free port of this machine. Without `clientSecret` any secret will do. */
export async function startFakeTokenEndpoint(clock: Clock, clientSecret?: string): Promise<FakeTokenEndpoint> {
  const behaviour: FakeTokenEndpoint['behaviour'] = {
    clientSecret,
    lifeSeconds: tokenLifeSeconds,
    contentType: 'application/json',
    tokenType: 'Bearer',
    accessToken: undefined,
  };
  const plan = createFaultPlan();
  const stopping = new AbortController();
  const requests: TokenRequest[] = [];
  const tokens: string[] = [];
  const server = createHttpServer({
    host: '127.0.0.1',
    port: 0,
    bodyBytesMax: requestBytesMax,
    portSetting: 'the token stand-in port',
  });
  server.app.removeAllContentTypeParsers();
  server.app.addContentTypeParser('*', { parseAs: 'string' }, (_request, body, done) => done(null, body));

  const grant = () => {
    const issuedAt = Math.floor(clock.now().getTime() / 1000);
    const token =
      behaviour.accessToken ??
      issueToken({
        jti: clock.uuid(),
        iat: issuedAt,
        exp: issuedAt + behaviour.lifeSeconds,
        clientId,
        scope: 'openid',
      });
    tokens.push(token);
    return {
      access_token: token,
      expires_in: behaviour.lifeSeconds,
      token_type: behaviour.tokenType,
      scope: 'openid',
    };
  };

  server.app.post(TOKEN_PATH, async (request: FastifyRequest, reply: FastifyReply) => {
    const body = typeof request.body === 'string' ? request.body : '';
    const { authorization, accept } = request.headers;
    requests.push({ body, authorization, accept, contentType: request.headers['content-type'] });
    const fault = plan.take('token');
    const context = { clock, stopping: stopping.signal };
    if (fault !== undefined && (await playFault(fault, reply, context, async () => grant())) === 'answered')
      return reply;
    const refusal = checkForm(new URLSearchParams(body), authorization, behaviour.clientSecret);
    if (refusal !== undefined) return reply.code(refusal.status).send(refusal.body);
    return reply.type(behaviour.contentType).send(JSON.stringify(grant()));
  });

  const url = await server.listen();
  return {
    url,
    tokenUrl: `${url}${TOKEN_PATH}`,
    requests: () => requests,
    tokens: () => tokens,
    inject: (fault, count) => plan.inject('token', fault, count),
    behaviour,
    async stop() {
      stopping.abort();
      await server.close();
    },
  };
}

/** Statuses are those of the black-box suite's mock; the secret is accepted in the header or in the body. */
function checkForm(
  form: URLSearchParams,
  authorization: string | undefined,
  clientSecret: string | undefined,
): ReturnType<typeof refusal> | undefined {
  for (const name of ['grant_type', 'client_id', 'scope']) {
    if (!form.has(name)) return refusal(422, 'invalid_request', `Missing form parameter: ${name}`);
  }
  if (form.get('grant_type') !== 'client_credentials')
    return refusal(501, 'unsupported_grant_type', 'This stand-in gives tokens for client credentials only');
  if (form.get('client_id') !== clientId)
    return refusal(401, 'invalid_client', 'Invalid client or Invalid client credentials');
  if (form.get('scope') !== 'openid') return refusal(501, 'invalid_scope', 'This stand-in knows scope openid only');
  if (clientSecret === undefined) return undefined;
  const basic = Buffer.from(authorization?.replace(/^Basic /i, '') ?? '', 'base64').toString('utf8');
  const given = form.get('client_secret') ?? basic.slice(basic.indexOf(':') + 1);
  if (given !== clientSecret || (basic !== '' && !basic.startsWith(`${clientId}:`)))
    return refusal(401, 'invalid_client', 'Invalid client or Invalid client credentials');
  return undefined;
}

function refusal(status: number, error: string, description: string) {
  return { status, body: { error, error_description: description } };
}
