/** The last segment of a path, decoded by us: the router would decode `%2F` first and then see one segment more. */
import type { FastifyRequest } from 'fastify';

/** Undefined where there is none, more than one, or one that is not percent-encoded UTF-8. */
export function pathSegment(request: FastifyRequest, before: string): string | undefined {
  const path = (request.raw.url ?? '').split('?', 1)[0]!;
  if (!path.startsWith(before)) return undefined;
  const segment = path.slice(before.length);
  if (segment === '' || segment.includes('/')) return undefined;
  try {
    return decodeURIComponent(segment);
  } catch {
    return undefined;
  }
}
