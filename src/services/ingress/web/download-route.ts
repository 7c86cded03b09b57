/** `GET /download/{id}`: an archive from the object store, whole or in part. Only for stores that serve nothing themselves. Source: ingress.md A.6.2. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { isObjectKey } from '../../../platform/objects/object-errors.ts';
import { isReservedKey, type ObjectStore, type StoredObject } from '../../../platform/objects/object-store.ts';
import type { DownloadLinks } from '../download-links.ts';
import { empty, goError, notFound, sendReply } from '../reply.ts';
import { pathSegment } from './request-path.ts';

export async function serveDownload(
  request: FastifyRequest,
  response: FastifyReply,
  { objects, links }: { readonly objects: ObjectStore; readonly links: DownloadLinks },
): Promise<FastifyReply> {
  const id = pathSegment(request, '/download/');
  if (id === undefined) return sendReply(response, notFound());
  const name = id.replace(/[^\p{L}\p{N}]/gu, '');
  // What lies in the reserved folders (signing keys, other people's announcements) is nobody's to fetch.
  if (name === '' || !isObjectKey(id) || isReservedKey(id))
    return sendReply(response, goError(400, 'Bad Request: Invalid request ID'));
  const verdict = await links.judge(id, new URLSearchParams(request.raw.url?.split('?')[1] ?? ''));
  if (verdict !== 'valid') {
    return sendReply(
      response,
      goError(403, verdict === 'expired' ? 'Forbidden: the link has expired' : 'Forbidden: the link is not valid'),
    );
  }
  return await sendObject(request, response, { objects, id, name });
}

async function sendObject(
  request: FastifyRequest,
  response: FastifyReply,
  { objects, id, name }: { readonly objects: ObjectStore; readonly id: string; readonly name: string },
): Promise<FastifyReply> {
  const found = await objects.get(id);
  if (found === undefined) return sendReply(response, notFound());
  const { object } = found;
  found.body.on('error', () => undefined);
  const headers = {
    'content-disposition': `attachment; filename=${encodeURIComponent(name)}.tar.gz`,
    'content-type': 'application/gzip',
    'accept-ranges': 'bytes',
    'last-modified': object.storedAt.toUTCString(),
  };
  if (isNotModified(request, object)) {
    found.body.destroy();
    return sendReply(response, { ...empty(304), headers: { 'last-modified': headers['last-modified'] } });
  }
  const range = isRangeStale(request, object)
    ? ({ kind: 'whole' } as const)
    : decideRange(request.headers.range, object.sizeBytes);
  if (range.kind === 'whole') {
    return await response
      .code(200)
      .headers({ ...headers, 'content-length': object.sizeBytes })
      .send(found.body);
  }
  found.body.destroy();
  if (range.kind === 'unsatisfiable') {
    response.header('content-range', `bytes */${object.sizeBytes}`);
    return sendReply(response, goError(416, 'invalid range: failed to overlap'));
  }
  const part = await objects.get(id, range);
  if (part === undefined) return sendReply(response, notFound());
  return await response
    .code(206)
    .headers({
      ...headers,
      'content-length': range.endInclusive - range.start + 1,
      'content-range': `bytes ${range.start}-${range.endInclusive}/${object.sizeBytes}`,
    })
    .send(part.body);
}

/** Headers know seconds only. */
function isNotModified(request: FastifyRequest, object: StoredObject): boolean {
  const since = Date.parse(request.headers['if-modified-since'] ?? '');
  return Math.floor(object.storedAt.getTime() / 1000) * 1000 <= since;
}

/** The part was meant of an older object. */
function isRangeStale(request: FastifyRequest, object: StoredObject): boolean {
  const condition = request.headers['if-range'];
  return condition !== undefined && condition !== object.storedAt.toUTCString();
}

/** Which part of a file a `Range` header asks for. Several parts at once are answered with the whole, as the standard allows. */
type RangeDecision =
  | { readonly kind: 'whole' }
  | { readonly kind: 'part'; readonly start: number; readonly endInclusive: number }
  | { readonly kind: 'unsatisfiable' };

export function decideRange(header: string | undefined, sizeBytes: number): RangeDecision {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header ?? '');
  if (match === null || (match[1] === '' && match[2] === '')) return { kind: 'whole' };
  if (match[1] === '') {
    const last = Math.min(Number(match[2]), sizeBytes);
    return last === 0
      ? { kind: 'unsatisfiable' }
      : { kind: 'part', start: sizeBytes - last, endInclusive: sizeBytes - 1 };
  }
  const start = Number(match[1]);
  const end = match[2] === '' ? sizeBytes - 1 : Math.min(Number(match[2]), sizeBytes - 1);
  // An end before its start makes no range at all; a start behind the file is one that cannot be given.
  if (match[2] !== '' && Number(match[2]) < start) return { kind: 'whole' };
  return start >= sizeBytes ? { kind: 'unsatisfiable' } : { kind: 'part', start, endInclusive: end };
}
