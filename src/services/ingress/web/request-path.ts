/** Path and query of a request as they came: the router would decode `%2F` first and then see one segment more. */
import type { FastifyRequest } from 'fastify';
import { pathOf as pathOfUrl } from '../../../platform/http/http-server.ts';

export function pathOf(request: FastifyRequest): string {
  return pathOfUrl(request.raw.url);
}

/** Of the URL, without the question mark. */
export function queryOf(request: FastifyRequest): string {
  const url = request.raw.url ?? '';
  const mark = url.indexOf('?');
  return mark === -1 ? '' : url.slice(mark + 1);
}

/** The one segment that follows, as it came; undefined where there is none, or more than one. */
export function segmentBehind(path: string, before: string): string | undefined {
  const segment = path.startsWith(before) ? path.slice(before.length) : '';
  return segment === '' || segment.includes('/') ? undefined : segment;
}

/** The same, decoded; undefined also where it is not percent-encoded UTF-8. */
export function pathSegment(request: FastifyRequest, before: string): string | undefined {
  try {
    const segment = segmentBehind(pathOf(request), before);
    return segment === undefined ? undefined : decodeURIComponent(segment);
  } catch {
    return undefined;
  }
}
