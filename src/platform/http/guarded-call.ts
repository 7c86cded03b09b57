/**
 * One HTTP call to an address that an operator configured (a receiver of notifications): by a proxy, with an authority and a client
 * certificate of its own, and never to where a machine keeps what only it may know. Names are judged by what they resolve to at the moment
 * of the connection, so that no answer of a name server leads there. For `callHttp`: redirects are not followed, and the deadline is the
 * caller's.
 */
import { lookup as lookUpName } from 'node:dns';
import { Agent, request as requestHttp } from 'node:http';
import { request as requestHttps, Agent as TlsAgent } from 'node:https';
import type { LookupFunction } from 'node:net';
import { CcxError } from '../../encoding/ccx-error.ts';
import { isForbiddenHost } from './forbidden-hosts.ts';
import { type OwnTls, responseOf } from './tls-call.ts';

export interface OutgoingWay {
  /** Of the other side. */
  readonly tls: OwnTls;
  /** `http://host:port`; undefined: straight. The proxy resolves the name, so that only addresses that are written out are refused then. */
  readonly proxyUrl: string | undefined;
  /** Link-local addresses may be reached, metadata services among them. */
  readonly allowLinkLocal: boolean;
}

interface GuardedCall {
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Buffer | undefined;
  readonly way: OutgoingWay;
  readonly signal: AbortSignal;
}

/** Code `HTTP_ADDRESS_REFUSED` where the address is link-local or a metadata service's, before anything is sent. */
export async function callGuarded(url: string, { method, headers, body, way, signal }: GuardedCall): Promise<Response> {
  const { tls, proxyUrl, allowLinkLocal } = way;
  const { protocol, hostname } = new URL(url);
  if (!allowLinkLocal) refuseWhereForbidden(hostname.replace(/^\[(.*)\]$/, '$1'));
  const proxyEnv = proxyUrl === undefined ? undefined : { HTTP_PROXY: proxyUrl, HTTPS_PROXY: proxyUrl };
  const lookup = allowLinkLocal || proxyUrl !== undefined ? {} : { lookup: lookUpGuarded };
  // Each call has a connection of its own: one that was kept may be gone when it is used, and then nobody knows what arrived.
  const agent = protocol === 'https:' ? new TlsAgent({ ...tls, proxyEnv }) : new Agent({ proxyEnv });
  const request = protocol === 'https:' ? requestHttps : requestHttp;
  const outgoing = request(url, { method, headers, ...(protocol === 'https:' ? tls : {}), ...lookup, agent, signal });
  outgoing.end(body);
  return await responseOf(outgoing);
}

function refuseWhereForbidden(host: string): void {
  const error = refusalOf(host);
  if (error !== undefined) throw error;
}

function refusalOf(host: string): CcxError | undefined {
  if (!isForbiddenHost(host)) return undefined;
  return new CcxError(`${host} is link-local, or where a cloud keeps the credentials of its machines`, {
    code: 'HTTP_ADDRESS_REFUSED',
    category: 'configuration',
    hint: 'set allow_link_local to true where that is meant',
  });
}

/** For connections: an answer of a name server that leads where nothing may be reached is an error. */
export const lookUpGuarded: LookupFunction = (hostname, options, callback) => {
  lookUpName(hostname, options, (error, address, family) => {
    const found = typeof address === 'string' ? [address] : address?.map((one) => one.address);
    const refusal = error === null ? found?.map(refusalOf).find((one) => one !== undefined) : undefined;
    callback(refusal ?? error, address, family);
  });
};
