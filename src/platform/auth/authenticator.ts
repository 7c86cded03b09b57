/**
 * Whose request it is. By configuration: nobody's (`INGRESS_AUTH=false`), by the `x-rh-identity` header that a gateway in front has made, or
 * by a bearer token that our own table or an accounts service knows, from which the same identity is made here. Beside them this process may have a token of its own, for
 * whoever has started it. Used by the services that answer HTTP. Source: ingress.md A.3.2, A.4.8, C.2.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { isUuid, parseOrgId } from '../../contracts/identifiers.ts';
import { checkIdentityHeader, encodeIdentity, type Identity, parseConsumerIdentity } from '../../contracts/identity.ts';
import { CcxError } from '../../encoding/ccx-error.ts';
import type { AccountsService } from './accounts-service.ts';
import type { Grant, Reach } from './decide/access.ts';
import type { TokenOwner } from './token-file.ts';
import type { TokenTable } from './token-table.ts';

/** Who asks; empty texts where nothing is known (authentication off, or an identity without an organization). */
export interface Principal {
  readonly accountNumber: string;
  readonly orgId: string;
  readonly type: string;
  readonly x509SubjectDn: string;
  /** What an announcement passes on as `b64_identity`. */
  readonly identityHeader: string;
  /** For which cluster, and what vouches for it; undefined where nothing names one. */
  readonly claimant?: Claimant | undefined;
  /** Hexadecimal; undefined where no token was brought. */
  readonly tokenSha256?: string;
  /** Lower case: the one cluster of which this token learns anything; undefined for what reads a whole organization. */
  readonly onlyCluster?: string;
  /** Only whoever has this process's own token: they see everything here anyway, and nothing is believed of a cluster for it. */
  readonly mayOmitCluster: boolean;
}

/** For which cluster somebody asks, and what vouches for it. */
export interface Claimant {
  /** Lower case. */
  readonly cluster: string;
  /** As the data pipeline will read it; undefined for one that no report can carry. */
  readonly orgId: number | undefined;
  /** `own-token`: this process's own, which says nothing about whose a cluster is. */
  readonly proof: 'bound-token' | 'token' | 'header' | 'own-token';
}

/**
 * The operator takes 401 for "not enabled, or the token has expired" and backs off; the reason (`code`) stays with us. 503: it cannot be
 * said now.
 */
export interface Refusal {
  readonly status: 400 | 401 | 403 | 503;
  readonly text: string;
  readonly code: string;
}

type Authentication =
  | { readonly kind: 'principal'; readonly principal: Principal }
  | { readonly kind: 'refused'; readonly refusal: Refusal };

/** Who reads what is known here, or changes what is said of it. */
export interface Reader extends Grant {
  /** For records of who changed something: `token hub-1`, `identity of organization 7`; never the token. */
  readonly who: string;
}

type ReaderAuthentication =
  | { readonly kind: 'reader'; readonly reader: Reader }
  | { readonly kind: 'refused'; readonly refusal: Refusal };

export interface Credentials {
  readonly identityHeader: string | undefined;
  readonly authorization: string | undefined;
  readonly userAgent: string;
  /** It comes from this machine, and nobody has passed it on. */
  readonly isLocal: boolean;
}

/** Made at the start of a process for what it uploads itself, and for the person at its terminal. */
export interface OwnToken {
  readonly token: string;
  readonly orgId: string;
  readonly accountNumber: string;
}

interface AuthenticatorOptions {
  readonly authEnabled: boolean;
  /** The gateway is on where there is a table. */
  readonly tokens: TokenTable | undefined;
  /** Asked about tokens that the table does not know. */
  readonly accounts?: Pick<AccountsService, 'find'> | undefined;
  /** Good for local requests only. */
  readonly ownToken?: OwnToken | undefined;
  /** With the gateway on: whether a request without a token may still bring an identity. Only safe where nobody but a gateway can connect. */
  readonly trustIdentityHeader: boolean;
}

export type Authenticator = ReturnType<typeof createAuthenticator>;

export function createAuthenticator(options: AuthenticatorOptions) {
  const { tokens, ownToken, accounts } = options;
  const ownerOf = (token: string, userAgent: string, table: TokenTable) =>
    findOwner(token, { cluster: clusterOfUserAgent(userAgent), tokens: table, accounts });
  const isOwn = ({ authorization, isLocal }: Credentials) => {
    const token = bearerToken(authorization);
    return ownToken !== undefined && token !== undefined && isLocal && isSameSecret(token, ownToken.token);
  };
  return {
    enabled: options.authEnabled,
    /** Who uploads. */
    async authenticate(credentials: Credentials): Promise<Authentication> {
      if (ownToken !== undefined && isOwn(credentials)) return found(byOwnToken(ownToken, credentials.userAgent));
      if (!options.authEnabled) return found(anonymous(credentials.identityHeader ?? ''));
      if (tokens === undefined) return byIdentity(credentials.identityHeader);
      const token = bearerToken(credentials.authorization);
      if (token !== undefined)
        return byToken(await ownerOf(token, credentials.userAgent, tokens), credentials.userAgent);
      if (!options.trustIdentityHeader) return unauthorized('TOKEN_MISSING');
      return byVouchedIdentity(credentials.identityHeader);
    },
    /**
     * Who reads: a token counts without an operator's User-Agent, since the cluster that this names is the caller's own claim. An identity
     * reads where an upload would believe it, and never writes; nobody reads where authentication is off.
     */
    async authenticateReader(credentials: Credentials): Promise<ReaderAuthentication> {
      if (isOwn(credentials)) return reads({ reach: { kind: 'everything' }, mayWrite: true, who: 'own token' });
      if (!options.authEnabled) return unauthorized('AUTHENTICATION_OFF');
      if (tokens === undefined) return readerByIdentity(credentials.identityHeader);
      const token = bearerToken(credentials.authorization);
      if (token !== undefined) return readerByToken(await ownerOf(token, credentials.userAgent, tokens));
      if (!options.trustIdentityHeader) return unauthorized('TOKEN_MISSING');
      return readerByIdentity(credentials.identityHeader);
    },
    /**
     * Whether the request id is taken from the client. Who comes with a token is no gateway: it could name an id of somebody else, whose
     * archive and trace are found by it.
     */
    keepsRequestId(credentials: Credentials): boolean {
      if (isOwn(credentials)) return false;
      if (tokens === undefined) return true;
      return options.trustIdentityHeader && credentials.authorization === undefined;
    },
  };
}

function byIdentity(header: string | undefined): Authentication {
  const check = checkIdentityHeader(header);
  if (check.kind === 'refused') return refused(400, `Bad Request: ${check.error.message}`, check.error.code);
  return found({ ...check.identity, identityHeader: header ?? '', mayOmitCluster: false });
}

/** Beside tokens: cluster and organization are read as the data pipeline will read them. */
function byVouchedIdentity(header: string | undefined): Authentication {
  const result = byIdentity(header);
  if (result.kind === 'refused') return result;
  const consumed = parseConsumerIdentity(header ?? '');
  if (consumed.kind === 'refused') return result;
  const { system, internal } = consumed.identity.identity;
  const cluster = system?.cluster_id;
  if (typeof cluster !== 'string' || !isUuid(cluster)) return result;
  const orgId = parseOrgId(internal.org_id);
  return found({ ...result.principal, claimant: { cluster: cluster.toLowerCase(), orgId, proof: 'header' } });
}

/** What the token is for another cluster than the one that the caller names is nobody's business. */
async function findOwner(
  token: string,
  known: Pick<AuthenticatorOptions, 'accounts'> & {
    readonly cluster: string | undefined;
    readonly tokens: TokenTable;
  },
): Promise<TokenOwner | ReturnType<typeof refused>> {
  const { cluster, tokens, accounts } = known;
  const inTable = tokens.find(token);
  if (inTable !== undefined) return inTable;
  if (accounts === undefined || cluster === undefined) return unauthorized('TOKEN_UNKNOWN');
  try {
    return (await accounts.find(token, cluster)) ?? unauthorized('TOKEN_UNKNOWN');
  } catch (error) {
    if (!(error instanceof CcxError && error.retryable)) throw error;
    return refused(503, 'whose this token is cannot be asked now, try again later', error.code);
  }
}

function byToken(owner: Awaited<ReturnType<typeof findOwner>>, userAgent: string): Authentication {
  if ('refusal' in owner) return owner;
  if (!owner.scopes.includes('cluster')) return refused(403, 'the token may not upload', 'TOKEN_WITHOUT_SCOPE');
  const cluster = clusterOfUserAgent(userAgent);
  if (cluster === undefined) return refused(400, 'Invalid user-agent', 'USER_AGENT_INVALID');
  if (owner.clusterId !== undefined && owner.clusterId !== cluster) return unauthorized('TOKEN_OF_ANOTHER_CLUSTER');
  const proof = owner.clusterId === undefined ? 'token' : 'bound-token';
  return found({
    ...systemPrincipal(owner, cluster),
    claimant: { cluster, orgId: parseOrgId(owner.orgId), proof },
    tokenSha256: owner.sha256,
    ...(owner.scopes.includes('organization') ? {} : { onlyCluster: cluster }),
    mayOmitCluster: false,
  });
}

function readerByToken(owner: Awaited<ReturnType<typeof findOwner>>): ReaderAuthentication {
  if ('refusal' in owner) return owner;
  const who = `token ${owner.name === '' ? owner.sha256.slice(0, 12) : owner.name}`;
  return reads({ reach: reachOf(owner), mayWrite: owner.scopes.includes('write'), who });
}

function reachOf({ orgId: text, clusterId, scopes, sha256 }: TokenOwner): Reach {
  const orgId = parseOrgId(text);
  if (orgId === undefined) return { kind: 'nothing' };
  if (scopes.includes('organization')) return { kind: 'organization', orgId };
  return clusterId === undefined
    ? { kind: 'first-uploads', orgId, tokenSha256: sha256 }
    : { kind: 'cluster', orgId, cluster: clusterId };
}

/** A system's identity is a cluster's, which it names; everybody else's is of their organization. */
function readerByIdentity(header: string | undefined): ReaderAuthentication {
  const check = checkIdentityHeader(header);
  if (check.kind === 'refused') return refused(400, `Bad Request: ${check.error.message}`, check.error.code);
  const { orgId: text, type } = check.identity;
  const orgId = parseOrgId(text);
  const consumed = parseConsumerIdentity(header ?? '');
  const named = consumed.kind === 'parsed' ? consumed.identity.identity.system?.cluster_id : undefined;
  const cluster = typeof named === 'string' && isUuid(named) ? named.toLowerCase() : undefined;
  const who = `identity of organization ${orgId ?? 'none'}`;
  if (orgId === undefined) return reads({ reach: { kind: 'nothing' }, mayWrite: false, who });
  if (cluster !== undefined) return reads({ reach: { kind: 'cluster', orgId, cluster }, mayWrite: false, who });
  const reach: Reach = type === 'System' ? { kind: 'nothing' } : { kind: 'organization', orgId };
  return reads({ reach, mayWrite: false, who });
}

function reads(reader: Reader): ReaderAuthentication {
  return { kind: 'reader', reader };
}

/** A cluster that it does not name is the one that the archive names. */
function byOwnToken(ownToken: OwnToken, userAgent: string): Principal {
  const cluster = clusterOfUserAgent(userAgent);
  return {
    ...systemPrincipal(ownToken, cluster),
    claimant: cluster === undefined ? undefined : { cluster, orgId: parseOrgId(ownToken.orgId), proof: 'own-token' },
    mayOmitCluster: true,
  };
}

/** What the hosted gateway makes of an operator's credentials. */
function systemPrincipal(
  { accountNumber, orgId }: Pick<OwnToken, 'accountNumber' | 'orgId'>,
  cluster: string | undefined,
): Omit<Principal, 'mayOmitCluster'> {
  const identity: Identity = {
    identity: {
      account_number: accountNumber,
      org_id: orgId,
      type: 'System',
      internal: { org_id: orgId },
      ...(cluster === undefined ? {} : { system: { cluster_id: cluster } }),
    },
  };
  return { accountNumber, orgId, type: 'System', x509SubjectDn: '', identityHeader: encodeIdentity(identity) };
}

function anonymous(identityHeader: string): Principal {
  return { accountNumber: '', orgId: '', type: '', x509SubjectDn: '', identityHeader, mayOmitCluster: false };
}

function found(principal: Principal): Authentication {
  return { kind: 'principal', principal };
}

function refused(
  status: Refusal['status'],
  text: string,
  code: string,
): { readonly kind: 'refused'; readonly refusal: Refusal } {
  return { kind: 'refused', refusal: { status, text, code } };
}

function unauthorized(code: string): ReturnType<typeof refused> {
  return refused(401, 'Could not authenticate', code);
}

function bearerToken(authorization: string | undefined): string | undefined {
  return /^Bearer +(\S+)$/i.exec(authorization?.trim() ?? '')?.[1];
}

function isSameSecret(given: string, secret: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(given), digest(secret));
}

/** The cluster that an operator's User-Agent names. Source: ingress.md C.2. */
const operators = [
  'insights-operator/',
  'cost-mgmt-operator/',
  'marketplace-operator/',
  'acm-operator/',
  'assisted-installer-operator/',
  'cryostat-operator/',
  'openshift-lightspeed-operator/',
  'jws-operator/',
  'runtimes-inventory-operator/',
] as const;

/** `insights-operator/4.19.0-abc cluster/<uuid>` → the id, lower case; undefined for everything else. */
export function clusterOfUserAgent(userAgent: string): string | undefined {
  const prefix = operators.find((operator) => userAgent.startsWith(operator));
  if (prefix === undefined) return undefined;
  const match = /^\S+ cluster\/(\S+)$/.exec(userAgent.slice(prefix.length));
  const cluster = match?.[1]?.toLowerCase();
  return cluster !== undefined && isUuid(cluster) ? cluster : undefined;
}
