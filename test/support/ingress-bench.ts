/** An ingress on free ports with a directory and a recording bus, and a client that writes what it is told to, byte for byte. */

import { readdir } from 'node:fs/promises';
import { type ClientRequest, request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { encodeIdentity } from '../../src/contracts/identity.ts';
import { type Clock, createSystemClock } from '../../src/platform/clock/clock.ts';
import { loadConfig } from '../../src/platform/config/load-config.ts';
import type { Database } from '../../src/platform/database/database.ts';
import { limitConnections } from '../../src/platform/http/connections.ts';
import { createHttpServer, type HttpServer } from '../../src/platform/http/http-server.ts';
import { type DirectoryObjectStore, openDirectoryStore } from '../../src/platform/objects/directory/directory-store.ts';
import type { ObjectStore } from '../../src/platform/objects/object-store.ts';
import { createSilentTelemetry, type Telemetry } from '../../src/platform/telemetry/telemetry.ts';
import { type IngressSettings, ingressOptions, ingressSettings } from '../../src/services/ingress/config.ts';
import {
  type IngressDependencies,
  mountIngress,
  type RunningIngress,
  startIngress,
} from '../../src/services/ingress/service.ts';
import { createRecordingBus, type RecordingBus } from './recording-bus.ts';
import { temporaryFolder } from './temporary-folder.ts';

export const TEST_ORG = '000001';
export const TEST_ACCOUNT = '0000001';
export const OPENSHIFT_TYPE = 'application/vnd.redhat.openshift.periodic';

export interface IngressBench {
  readonly path: string;
  readonly objects: DirectoryObjectStore;
  readonly bus: RecordingBus;
  readonly telemetry: Telemetry;
  readonly clock: Clock;
  readonly ingress: RunningIngress;
  readonly settings: IngressSettings;
  /** Stops this ingress and starts another one on the same objects and bus. */
  restart(): Promise<RunningIngress>;
  /** Value of a metric, 0 where it has no such labels. */
  metric(name: string, labels?: Readonly<Record<string, string>>): Promise<number>;
}

export interface BenchOptions {
  /** Environment names of ingress. */
  readonly env?: Readonly<Record<string, string>>;
  readonly settings?: Partial<IngressSettings>;
  readonly clock?: Clock;
  /** Stands between ingress and the directory. */
  readonly objects?: (store: DirectoryObjectStore) => ObjectStore;
  /** Where whose the clusters are is kept. */
  readonly database?: Database;
  /** What the bus does when ingress starts. */
  readonly busMode?: RecordingBus['mode'];
  /** Mounts other modules on the server, which ingress then shares with them. */
  readonly beside?: (server: HttpServer) => void;
}

export async function startIngressBench(t: TestContext, options: BenchOptions = {}): Promise<IngressBench> {
  const path = temporaryFolder();
  const clock = options.clock ?? createSystemClock();
  const objects = await openDirectoryStore({ path, clock, freeBytesMin: 0 });
  const bus = createRecordingBus();
  bus.mode = options.busMode ?? 'up';
  const loaded = loadConfig(ingressOptions, {
    env: { INGRESS_VALID_UPLOAD_TYPES: 'openshift,advisor,qpc', ...options.env },
  });
  const settings: IngressSettings = {
    ...ingressSettings(loaded, '1.2.3'),
    host: '127.0.0.1',
    webPort: 0,
    metricsPort: 0,
    ...options.settings,
  };
  const running: { telemetry: Telemetry; ingress: RunningIngress } = await start();
  async function start() {
    const telemetry = createSilentTelemetry('ingress');
    const store = options.objects?.(objects) ?? objects;
    const dependencies = { bus, objects: store, telemetry, clock, database: options.database };
    const ingress =
      options.beside === undefined
        ? await startIngress(settings, dependencies)
        : await startShared(settings, dependencies, options.beside);
    return { telemetry, ingress };
  }
  t.after(async () => {
    await running.ingress.stop();
    await objects.close();
  });
  return {
    path,
    objects,
    bus,
    clock,
    settings,
    get telemetry() {
      return running.telemetry;
    },
    get ingress() {
      return running.ingress;
    },
    async restart() {
      await running.ingress.stop();
      Object.assign(running, await start());
      return running.ingress;
    },
    async metric(name, labels = {}) {
      const metrics = await running.telemetry.registry.getMetricsAsJSON();
      const values = metrics.find((metric) => metric.name === name)?.values ?? [];
      const found = values.find((value) =>
        Object.entries(labels).every(([label, wanted]) => Reflect.get(value.labels, label) === wanted),
      );
      return found?.value ?? 0;
    },
  };
}

/** As in the all-in-one process: on a server that it shares. */
async function startShared(
  settings: IngressSettings,
  dependencies: IngressDependencies,
  beside: (server: HttpServer) => void,
): Promise<RunningIngress> {
  const limit = limitConnections(settings.connectionsMax);
  const server = createHttpServer({
    ...{ host: settings.host, port: settings.webPort, portSetting: 'test.port', bodyBytesMax: 1_000 },
    ...{ connectionsMax: limit.taken, clock: dependencies.clock },
  });
  const mounted = await mountIngress(server, settings, { ...dependencies, limit });
  beside(server);
  await server.listen();
  const ingress = await mounted.serve();
  return {
    ...ingress,
    async stop() {
      await server.close();
      await ingress.stop();
    },
  };
}

export interface Part {
  readonly name: string;
  readonly filename?: string;
  readonly type?: string;
  readonly body: Buffer | string;
}

export const BOUNDARY = 'b'.repeat(60);

export function form(parts: readonly Part[], boundary = BOUNDARY): Buffer {
  const pieces: (Buffer | string)[] = [];
  for (const { name, filename, type, body } of parts) {
    pieces.push(`--${boundary}\r\nContent-Disposition: form-data; name="${name}"`);
    if (filename !== undefined) pieces.push(`; filename="${filename}"`);
    if (type !== undefined) pieces.push(`\r\nContent-Type: ${type}`);
    pieces.push('\r\n\r\n', body, '\r\n');
  }
  pieces.push(`--${boundary}--\r\n`);
  return Buffer.concat(pieces.map((piece) => Buffer.from(piece)));
}

export function filePart(body: Buffer | string, type = OPENSHIFT_TYPE, name = 'file'): Part {
  return { name, filename: 'payload.tar.gz', type, body };
}

export function metadataPart(document: unknown): Part {
  const body = typeof document === 'string' ? document : JSON.stringify(document);
  return { name: 'metadata', filename: 'metadata.json', type: 'application/octet-stream', body };
}

export const userIdentity = encodeIdentity({
  identity: { type: 'User', account_number: TEST_ACCOUNT, org_id: TEST_ORG, internal: { org_id: TEST_ORG } },
});

export interface Exchange {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  readonly text: string;
}

export interface RequestToSend {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent chunk by chunk; a single buffer goes with its length, several are chunked. */
  readonly body?: Buffer | Iterable<Buffer> | AsyncIterable<Buffer>;
}

/** One request on a connection of its own. Rejects where there is no answer. */
export function send(url: string, options: RequestToSend = {}): Promise<Exchange> {
  const { method = 'GET', headers = {}, body } = options;
  return new Promise((resolve, reject) => {
    const request = httpRequest(url, { method, headers, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const bytes = Buffer.concat(chunks);
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: bytes, text: bytes.toString() });
      });
    });
    request.on('error', reject);
    if (body === undefined || Buffer.isBuffer(body)) {
      request.end(body);
      return;
    }
    void (async () => {
      for await (const chunk of body) {
        if (!request.write(chunk)) await roomOrEnd(request);
        if (request.destroyed) return;
      }
      request.end();
    })();
  });
}

/** Until the request takes more, or will take nothing any more. */
function roomOrEnd(request: ClientRequest): Promise<void> {
  return new Promise((resolve) => {
    const go = () => {
      for (const event of ['drain', 'error', 'close', 'response']) request.off(event, go);
      resolve();
    };
    for (const event of ['drain', 'error', 'close', 'response']) request.on(event, go);
  });
}

/** A form as a client in front of which a gateway stands sends it. */
export async function upload(
  bench: IngressBench,
  parts: readonly Part[],
  options: { readonly path?: string; readonly headers?: Readonly<Record<string, string>> } = {},
): Promise<Exchange> {
  return await send(`${bench.ingress.baseUrl}${options.path ?? '/api/ingress/v1/upload'}`, {
    method: 'POST',
    headers: {
      'content-type': `multipart/form-data; boundary=${BOUNDARY}`,
      'x-rh-identity': userIdentity,
      ...options.headers,
    },
    body: form(parts),
  });
}

/** Unfinished files of the object store. */
export async function unfinishedFiles(path: string): Promise<string[]> {
  const names: string[] = [];
  for (const folder of await readdir(join(path, '.unfinished'))) {
    for (const name of await readdir(join(path, '.unfinished', folder))) names.push(`${folder}/${name}`);
  }
  return names;
}

/** Keys of archives: nothing of the reserved folders. */
export async function archiveKeys(objects: ObjectStore): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of objects.list('')) if (!/^(outbox|ingress)\//.test(key)) keys.push(key);
  return keys;
}
