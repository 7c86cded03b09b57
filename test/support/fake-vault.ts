/**
 * A small Vault on 127.0.0.1 for tests: KV versions 1 and 2, token, AppRole and Kubernetes login, renewal with a maximum life, and faults.
 * Built from consumers.md section 3; used by the tests of `src/platform/secrets`.
 */
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Clock } from '../../src/platform/clock/clock.ts';
import { createHttpServer } from '../../src/platform/http/http-server.ts';

export interface FakeVault {
  readonly url: string;
  /** `METHOD path` of every request, in order. */
  readonly calls: string[];
  /** Headers of the last request. */
  readonly lastHeaders: Record<string, string | string[] | undefined>;
  /** Writes a secret. `version: 1` stores it as the older engine does. */
  put(path: string, fields: Record<string, unknown>): void;
  /** Soft-deletes the newest version: a 404 with a body. */
  softDelete(path: string): void;
  /** A token that is not from a login. `ttlSeconds` 0 lives for ever. */
  issueToken(options?: { ttlSeconds?: number; renewable?: boolean }): string;
  revokeAll(): void;
  /** The next `count` requests answer with this status and no useful body. */
  fail(status: number, count: number): void;
  /** The next request is sent on to this address, as a standby does. */
  redirectTo(url: string): void;
  stop(): Promise<void>;
}

export interface FakeVaultOptions {
  readonly clock: Clock;
  readonly kvVersion?: 1 | 2;
  readonly approle?: { readonly roleId: string; readonly secretId: string };
  readonly kubernetes?: { readonly role: string; readonly jwt: string };
  readonly ttlSeconds?: number;
  /** A token can be renewed up to this age only. */
  readonly maxTtlSeconds?: number;
}

interface IssuedToken {
  readonly bornMs: number;
  readonly renewable: boolean;
  readonly ttlSeconds: number;
  endMs: number;
}

export async function startFakeVault(options: FakeVaultOptions): Promise<FakeVault> {
  const { clock } = options;
  const kvVersion = options.kvVersion ?? 2;
  const tokens = new Map<string, IssuedToken>();
  const secrets = new Map<string, { fields: Record<string, unknown> | null }>();
  const calls: string[] = [];
  const lastHeaders: Record<string, string | string[] | undefined> = {};
  const faults: number[] = [];
  const redirects: string[] = [];
  const server = createHttpServer({ host: '127.0.0.1', port: 0, bodyBytesMax: 1_000_000, portSetting: 'test' });

  const issue = (ttlSeconds: number, renewable: boolean) => {
    const token = `hvs.${clock.uuid().replaceAll('-', '')}`;
    const bornMs = clock.now().getTime();
    tokens.set(token, {
      bornMs,
      renewable,
      ttlSeconds,
      endMs: ttlSeconds === 0 ? Infinity : bornMs + ttlSeconds * 1000,
    });
    return token;
  };
  const valid = (request: FastifyRequest) => {
    const issued = tokens.get(String(request.headers['x-vault-token']));
    return issued !== undefined && clock.now().getTime() < issued.endMs ? issued : undefined;
  };
  const forbidden = (reply: FastifyReply) => reply.code(403).send({ errors: ['permission denied'] });
  const login = (reply: FastifyReply, allowed: boolean) => {
    if (!allowed) return reply.code(400).send({ errors: ['invalid role or secret'] });
    const ttlSeconds = options.ttlSeconds ?? 3600;
    return { auth: { client_token: issue(ttlSeconds, true), lease_duration: ttlSeconds, renewable: true } };
  };

  server.app.addHook('onRequest', async (request, reply) => {
    calls.push(`${request.method} ${request.url}`);
    Object.assign(lastHeaders, request.headers);
    const redirect = redirects.shift();
    if (redirect !== undefined) return reply.code(307).header('location', `${redirect}${request.url}`).send();
    const status = faults.shift();
    if (status !== undefined) return reply.code(status).send({ errors: ['Vault is sealed'] });
  });
  server.app.post('/v1/auth/approle/login', (request, reply) => {
    const body = request.body as { role_id?: string; secret_id?: string };
    const { approle } = options;
    return login(
      reply,
      approle !== undefined && body.role_id === approle.roleId && body.secret_id === approle.secretId,
    );
  });
  server.app.post('/v1/auth/kubernetes/login', (request, reply) => {
    const body = request.body as { role?: string; jwt?: string };
    const { kubernetes } = options;
    return login(reply, kubernetes !== undefined && body.role === kubernetes.role && body.jwt === kubernetes.jwt);
  });
  server.app.get('/v1/auth/token/lookup-self', (request, reply) => {
    const issued = valid(request);
    if (issued === undefined) return forbidden(reply);
    const ttl = issued.endMs === Infinity ? 0 : Math.ceil((issued.endMs - clock.now().getTime()) / 1000);
    return { data: { ttl, renewable: issued.renewable } };
  });
  server.app.post('/v1/auth/token/renew-self', (request, reply) => {
    const issued = valid(request);
    if (issued === undefined || !issued.renewable) return forbidden(reply);
    const nowMs = clock.now().getTime();
    const lastMs = options.maxTtlSeconds === undefined ? Infinity : issued.bornMs + options.maxTtlSeconds * 1000;
    issued.endMs = Math.min(nowMs + issued.ttlSeconds * 1000, lastMs);
    const lease_duration = Math.floor((issued.endMs - nowMs) / 1000);
    return { auth: { client_token: request.headers['x-vault-token'], lease_duration, renewable: true } };
  });
  server.app.get('/v1/*', (request, reply) => {
    if (valid(request) === undefined) return forbidden(reply);
    const path = decodeURIComponent((request.params as { '*': string })['*']);
    const prefix = kvVersion === 2 ? 'secret/data/' : 'secret/';
    const stored = path.startsWith(prefix) ? secrets.get(path.slice(prefix.length)) : undefined;
    if (stored === undefined) return reply.code(404).send({ errors: [] });
    if (kvVersion === 1) return { data: stored.fields };
    const deleted = stored.fields === null;
    const metadata = { version: 1, deletion_time: deleted ? '2026-11-21T16:00:00Z' : '', destroyed: false };
    return reply.code(deleted ? 404 : 200).send({ data: { data: stored.fields, metadata } });
  });

  return {
    url: await server.listen(),
    calls,
    lastHeaders,
    put: (path, fields) => void secrets.set(path, { fields }),
    softDelete: (path) => void secrets.set(path, { fields: null }),
    issueToken: ({ ttlSeconds = 0, renewable = false } = {}) => issue(ttlSeconds, renewable),
    revokeAll: () => tokens.clear(),
    fail: (status, count) => void faults.push(...Array<number>(count).fill(status)),
    redirectTo: (url) => void redirects.push(url),
    stop: () => server.close(),
  };
}
