/**
 * One HTTPS call with an authority or a client certificate of its own, which the built-in `fetch` cannot be given. For `callHttp`: redirects
 * are not followed, and the deadline is the caller's.
 */
import { once } from 'node:events';
import type { ClientRequest, IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { Readable } from 'node:stream';
import type { ConnectionOptions } from 'node:tls';

export type OwnTls = Pick<ConnectionOptions, 'ca' | 'cert' | 'key' | 'servername'>;

interface TlsCall {
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Buffer | undefined;
  readonly tls: OwnTls;
  readonly signal: AbortSignal;
}

export async function callWithTls(url: string, { method, headers, body, tls, signal }: TlsCall): Promise<Response> {
  // Without an agent: nobody else is to get a connection that was opened with this authority.
  const outgoing = request(url, { method, headers, ...tls, agent: false, signal });
  outgoing.end(body);
  return await responseOf(outgoing);
}

/** Of a request that was ended. Rejects with what Node says where there is no answer. */
export async function responseOf(outgoing: ClientRequest): Promise<Response> {
  const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage];
  const received = new Headers();
  for (const [name, values = []] of Object.entries(incoming.headersDistinct))
    for (const value of values) received.append(name, value);
  const status = incoming.statusCode ?? 0;
  const hasBody = status !== 204 && status !== 304;
  if (!hasBody) incoming.resume();
  return new Response(hasBody ? (Readable.toWeb(incoming) as ReadableStream<Uint8Array>) : null, {
    status,
    headers: received,
  });
}
