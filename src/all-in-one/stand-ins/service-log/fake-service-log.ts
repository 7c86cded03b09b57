/**
 * A stand-in for OCM Service Log: takes entries, keeps them, answers lists and searches, and can be told to misbehave. Used by the
 * all-in-one demonstration and by the tests of the Service Log target; compatible on the wire with the mock of the public black-box suite.
 * It checks what the real service is known to check (consumers.md 2.6) and trusts any token that is not over.
 */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { CcxError } from '../../../encoding/ccx-error.ts';
import type { Clock } from '../../../platform/clock/clock.ts';
import { createHttpServer } from '../../../platform/http/http-server.ts';
import { createFaultPlan, type Fault, playFault } from '../fault-plan.ts';
import { readClaims } from '../json-web-token.ts';
import { openRecordFile, recordsMax, requestBytesMax } from '../record-file.ts';
import { type ListQuery, listAsCsv, listEntries } from './list-entries.ts';
import { createKsuid, isStoredEntry, SERVICE_LOG_ROOT, type StoredEntry, storeEntry } from './stored-entry.ts';

interface FakeServiceLogOptions {
  readonly clock: Clock;
  /** Keeps entries across restarts; absent: in memory only. */
  readonly file?: string;
  /** Of the file, in one sentence. */
  readonly onFileTrouble?: ((text: string) => void) | undefined;
}

export interface FakeServiceLog {
  /** Base address, e.g. `http://127.0.0.1:8000`. */
  readonly url: string;
  /** What `service_log.url` is set to. */
  readonly postUrl: string;
  /** Oldest first. */
  entries(): readonly StoredEntry[];
  /** `METHOD path?query` of every request since the start, in order. */
  requests(): readonly string[];
  /** The next `count` posts (`post`) or lists and searches (`look-up`) meet the fault. */
  inject(on: 'post' | 'look-up', fault: Fault, count?: number): void;
  /** What was injected and was not met yet is not met any more. */
  mend(): void;
  /** Standing behaviour: forgets the client's `event_stream_id`; refuses to search for it; lets a token be used that many times only. */
  readonly behaviour: { dropEventStreamId: boolean; refuseStreamIdSearch: boolean; tokenUsesMax: number };
  stop(): Promise<void>;
}

/** On any free port of this machine. */
export async function startFakeServiceLog(options: FakeServiceLogOptions): Promise<FakeServiceLog> {
  const { clock } = options;
  const records = await openRecordFile<StoredEntry>({
    path: options.file,
    itemsMax: recordsMax,
    isItem: isStoredEntry,
    onTrouble: options.onFileTrouble,
  });
  const plan = createFaultPlan();
  const stopping = new AbortController();
  const faultContext = { clock, stopping: stopping.signal };
  const behaviour = { dropEventStreamId: false, refuseStreamIdSearch: false, tokenUsesMax: Number.POSITIVE_INFINITY };
  const tokenUses = new Map<string, number>();
  const requests: string[] = [];
  const server = createHttpServer({
    host: '127.0.0.1',
    port: 0,
    bodyBytesMax: requestBytesMax,
    portSetting: 'the Service Log stand-in port',
  });
  const { app } = server;

  const refuse = (reply: FastifyReply, status: number, reason: string) => {
    const operation = createKsuid(clock);
    return reply
      .code(status)
      .header('X-Operation-Id', operation)
      .send(errorBody(status, reason, operation));
  };

  /** Why the caller is not let in, if so. Counts the use of the token. */
  const refusalOf = (request: FastifyRequest): string | undefined => {
    const token = bearerOf(request);
    if (token === undefined) return "Request doesn't contain the 'Authorization' header or the 'cs_jwt' cookie";
    const uses = (tokenUses.get(token) ?? 0) + 1;
    tokenUses.set(token, uses);
    const end = readClaims(token)?.['exp'];
    const over = typeof end === 'number' && end * 1000 <= clock.now().getTime();
    return over || uses > behaviour.tokenUsesMax ? 'Bearer token is expired' : undefined;
  };

  app.addHook('onRequest', async (request, reply) => {
    requests.push(`${request.method} ${request.url}`);
    if (requests.length > recordsMax) requests.shift();
    const refusal = refusalOf(request);
    if (refusal !== undefined) return refuse(reply, 401, refusal);
  });
  app.setNotFoundHandler((request, reply) =>
    refuse(reply, 404, `The requested resource '${request.url}' doesn't exist`),
  );
  app.setErrorHandler((error, _request, reply) => {
    const expected = error instanceof CcxError && error.category === 'input';
    const { statusCode = 500 } = error as { statusCode?: number };
    const status = expected ? 400 : statusCode;
    const reason = error instanceof Error && status < 500 ? error.message : 'An unexpected error happened';
    return refuse(reply, status, reason);
  });

  const postEntry = async (request: FastifyRequest, reply: FastifyReply) => {
    const fault = plan.take('post');
    const commit = async () => {
      const entry = storeEntry(request.body, {
        clock,
        authenticatedAs: accountOf(request),
        dropEventStreamId: behaviour.dropEventStreamId,
      });
      await records.append(entry);
      return entry;
    };
    if (fault !== undefined && (await playFault(fault, reply, faultContext, commit)) === 'answered') return reply;
    return reply.code(201).send(await commit());
  };

  const list = async (request: FastifyRequest, reply: FastifyReply, of: (entry: StoredEntry) => boolean) => {
    const fault = plan.take('look-up');
    const nothing = async () => undefined;
    if (fault !== undefined && (await playFault(fault, reply, faultContext, nothing)) === 'answered') return reply;
    const query = request.query as ListQuery;
    if (behaviour.refuseStreamIdSearch && query['search']?.includes('event_stream_id') === true)
      return refuse(reply, 400, 'event_stream_id is not a valid column');
    const entries = listEntries(records.items().filter(of), query);
    return query['format'] === 'csv' ? reply.type('text/csv').send(listAsCsv(entries)) : entries;
  };

  app.get(SERVICE_LOG_ROOT, () => ({ kind: 'API', id: 'v1', href: SERVICE_LOG_ROOT, server_version: 'stand-in' }));
  for (const path of [`${SERVICE_LOG_ROOT}/cluster_logs`, `${SERVICE_LOG_ROOT}/cluster_logs/`]) {
    app.post(path, postEntry);
    app.get(path, (request, reply) => list(request, reply, () => true));
  }
  app.get(`${SERVICE_LOG_ROOT}/cluster_logs/:id`, (request, reply) => {
    const { id } = request.params as { id: string };
    return (
      records.items().find((entry) => entry.id === id) ?? refuse(reply, 404, `ClusterLog with id='${id}' not found`)
    );
  });
  app.delete(`${SERVICE_LOG_ROOT}/cluster_logs/:id`, async (request, reply) => {
    const { id } = request.params as { id: string };
    const rest = records.items().filter((entry) => entry.id !== id);
    if (rest.length === records.items().length) return refuse(reply, 404, `ClusterLog with id='${id}' not found`);
    await records.replace(rest);
    return reply.code(204).send();
  });
  app.delete(`${SERVICE_LOG_ROOT}/warehouse`, async (_request, reply) => {
    await records.replace([]);
    return reply.code(204).send();
  });
  app.get(`${SERVICE_LOG_ROOT}/clusters/cluster_logs`, (request, reply) => {
    const { cluster_id: id, cluster_uuid: uuid } = request.query as ListQuery;
    if (!id && !uuid) return refuse(reply, 400, 'cluster_id or cluster_uuid is required');
    const same = (entry: StoredEntry) => (uuid ? entry.cluster_uuid === uuid : entry.cluster_id === id);
    return list(request, reply, (entry) => !entry.internal_only && same(entry));
  });
  app.get(`${SERVICE_LOG_ROOT}/clusters/:uuid/cluster_logs`, (request, reply) => {
    const { uuid } = request.params as { uuid: string };
    return list(request, reply, (entry) => !entry.internal_only && entry.cluster_uuid === uuid);
  });

  const url = await server.listen();
  return {
    url,
    postUrl: `${url}${SERVICE_LOG_ROOT}/cluster_logs`,
    entries: () => records.items(),
    requests: () => requests,
    inject: (on, fault, count) => plan.inject(on, fault, count),
    mend: () => plan.clear(),
    behaviour,
    async stop() {
      stopping.abort();
      await server.close();
      await records.close();
    },
  };
}

function bearerOf(request: FastifyRequest): string | undefined {
  return request.headers.authorization?.replace(/^Bearer /i, '');
}

/** How the server names a service account that authenticated. */
function accountOf(request: FastifyRequest): string | undefined {
  const client = readClaims(bearerOf(request) ?? '')?.['clientId'];
  return typeof client === 'string' ? `service-account-${client.toLowerCase()}` : undefined;
}

/** The API's error document; code `OCM-CA-8` and link 8 of a refused body are those of the black-box suite's mock. */
function errorBody(status: number, reason: string, operationId: string) {
  const number = status === 400 ? '8' : String(status);
  return {
    kind: 'Error',
    id: number,
    href: `${SERVICE_LOG_ROOT}/errors/${number}`,
    code: status === 400 ? 'OCM-CA-8' : `SERVICE-LOGS-${status}`,
    reason,
    operation_id: operationId,
  };
}
