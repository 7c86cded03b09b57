/**
 * A webhook of a test's own, as whoever follows docs/receivers.md would write it: keeps what came, checks signatures, and answers what it is
 * told to.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { listening } from './test-server.ts';

export interface TakenRequest {
  readonly id: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  readonly path: string;
}

interface SinkAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Takes the message and breaks the connection. */
  readonly breaks?: boolean;
  /** Never answers. */
  readonly hangs?: boolean;
}

export const testSigningKey = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
export const oldSigningKey = `whsec_${Buffer.alloc(24, 9).toString('base64')}`;

/** As the field does it: one of the signatures fits. */
export function isSignedWith(key: string, { headers, body }: Pick<TakenRequest, 'headers' | 'body'>): boolean {
  const signed = `${String(headers['webhook-id'])}.${String(headers['webhook-timestamp'])}.${body}`;
  const wanted = createHmac('sha256', Buffer.from(key.slice('whsec_'.length), 'base64'))
    .update(signed)
    .digest();
  return String(headers['webhook-signature'])
    .split(' ')
    .map((part) => Buffer.from(part.replace(/^v1,/, ''), 'base64'))
    .some((given) => given.length === wanted.length && timingSafeEqual(given, wanted));
}

/** Stopped by `close`. */
export async function startWebhookSink(tls?: { readonly cert: string; readonly key: string; readonly ca?: string }) {
  const taken: TakenRequest[] = [];
  const sink = {
    taken,
    answer: (_request: TakenRequest): SinkAnswer => ({ status: 204 }),
    url: '',
    close(): void {},
  };
  const onRequest: Parameters<typeof createServer>[1] = async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const one: TakenRequest = {
      id: String(request.headers['webhook-id']),
      headers: request.headers,
      body: Buffer.concat(chunks).toString('utf8'),
      path: request.url ?? '',
    };
    taken.push(one);
    const { status, headers = {}, breaks, hangs } = sink.answer(one);
    if (hangs === true) return;
    if (breaks === true) return void request.socket.destroy();
    response.writeHead(status, headers).end();
  };
  const asking = tls?.ca === undefined ? {} : { requestCert: true, rejectUnauthorized: true };
  const server = tls === undefined ? createServer(onRequest) : createTlsServer({ ...tls, ...asking }, onRequest);
  const { port, close } = await listening(server);
  sink.url = `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}/hook/s3cret`;
  sink.close = close;
  return sink;
}

export type WebhookSink = Awaited<ReturnType<typeof startWebhookSink>>;
