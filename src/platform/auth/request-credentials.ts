/** What a request over HTTP brings along of who sends it, for the authenticator. Read by the services that answer HTTP. */
import type { FastifyRequest } from 'fastify';
import { HEADER_IDENTITY } from '../../contracts/topics.ts';
import type { Credentials } from './authenticator.ts';
import { isLocalRequest } from './locality.ts';

/** `host`: the address that the server listens on. */
export function credentialsOf(request: FastifyRequest, host: string): Credentials {
  const { localAddress, remoteAddress } = request.socket;
  const { httpVersion } = request.raw;
  const headerNames = Object.keys(request.headers);
  const hostHeader = request.headers.host;
  return {
    identityHeader: firstHeader(request, HEADER_IDENTITY),
    authorization: request.headers.authorization,
    userAgent: request.headers['user-agent'] ?? '',
    isLocal: isLocalRequest({ host, remoteAddress, localAddress, headerNames, httpVersion, hostHeader }),
  };
}

/** Go takes the first of several; Node would join them. */
export function firstHeader(request: FastifyRequest, name: string): string | undefined {
  return request.raw.headersDistinct[name]?.[0];
}
