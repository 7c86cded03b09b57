/**
 * Whose request it is. Three ways, by configuration: not at all (`INGRESS_AUTH=false`), by the `x-rh-identity` header that a gateway in front
 * has made, or by a bearer token of our own table, from which the same identity is made here. Used by uploads and by the routes beside.
 * Source: ingress.md A.3.2, A.4.8, C.2.
 */
import { checkIdentityHeader, encodeIdentity, type Identity } from '../../contracts/identity.ts';
import { clusterOfUserAgent } from './decide/operator-agent.ts';
import type { TokenTable } from './gateway/token-table.ts';
import { next, type Principal, reply, type StepResult } from './upload.ts';
import { goError } from './web/reply.ts';

export interface Credentials {
  readonly identityHeader: string | undefined;
  readonly authorization: string | undefined;
  readonly userAgent: string;
}

export interface AuthenticatorOptions {
  readonly enabled: boolean;
  /** The gateway is on where there is a table. */
  readonly tokens: TokenTable | undefined;
  /** With the gateway on: whether a request without a token may still bring an identity. Only safe where nobody but a gateway can connect. */
  readonly trustIdentityHeader: boolean;
}

export interface Authenticator {
  readonly enabled: boolean;
  authenticate(credentials: Credentials): StepResult<Principal>;
}

export function createAuthenticator(options: AuthenticatorOptions): Authenticator {
  return {
    enabled: options.enabled,
    authenticate(credentials) {
      if (!options.enabled) return next(anonymous(credentials.identityHeader ?? ''));
      if (options.tokens === undefined) return byIdentity(credentials.identityHeader);
      const token = bearerToken(credentials.authorization);
      if (token !== undefined) return byToken(token, credentials.userAgent, options.tokens);
      // A client could otherwise leave the token out and name itself whatever it likes.
      return options.trustIdentityHeader ? byIdentity(credentials.identityHeader) : unauthorized('TOKEN_MISSING');
    },
  };
}

function byIdentity(header: string | undefined): StepResult<Principal> {
  const check = checkIdentityHeader(header);
  if (check.kind === 'refused') return reply(goError(400, `Bad Request: ${check.error.message}`, check.error.code));
  return next({ ...check.identity, identityHeader: header ?? '' });
}

function byToken(token: string, userAgent: string, tokens: TokenTable): StepResult<Principal> {
  const owner = tokens.find(token);
  if (owner === undefined) return unauthorized('TOKEN_UNKNOWN');
  const cluster = clusterOfUserAgent(userAgent);
  if (cluster === undefined) return reply(goError(400, 'Invalid user-agent', 'USER_AGENT_INVALID'));
  if (owner.clusterId !== undefined && owner.clusterId !== cluster) return unauthorized('TOKEN_OF_ANOTHER_CLUSTER');
  const identity: Identity = {
    identity: {
      account_number: owner.accountNumber,
      org_id: owner.orgId,
      type: 'System',
      internal: { org_id: owner.orgId },
      system: { cluster_id: cluster },
    },
  };
  return next({
    accountNumber: owner.accountNumber,
    orgId: owner.orgId,
    type: 'System',
    x509SubjectDn: '',
    identityHeader: encodeIdentity(identity),
  });
}

function anonymous(identityHeader: string): Principal {
  return { accountNumber: '', orgId: '', type: '', x509SubjectDn: '', identityHeader };
}

/** The operator takes 401 for "not enabled, or the token has expired" and backs off. The reason stays with us. */
function unauthorized(code: string): StepResult<never> {
  const refusal = goError(401, 'Could not authenticate', code);
  return reply({ ...refusal, headers: { ...refusal.headers, 'www-authenticate': 'Bearer' } });
}

function bearerToken(authorization: string | undefined): string | undefined {
  return /^Bearer +(\S+)$/i.exec(authorization?.trim() ?? '')?.[1];
}
