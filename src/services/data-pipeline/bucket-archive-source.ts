/**
 * Fetches archives from our own bucket by their key, into memory and under the bounds of a download. Which announcements are fetched so,
 * `isOwnLink` says.
 */
import { CcxError, inputError } from '../../encoding/ccx-error.ts';
import { isObjectKey } from '../../platform/objects/object-errors.ts';
import { isReservedKey, type ObjectStore } from '../../platform/objects/object-store.ts';
import {
  type DownloadOptions,
  type DownloadRequest,
  DownloadWatch,
  gatherBody,
  tooLate,
} from './http-archive-source.ts';

export interface OwnBucket {
  readonly name: string;
  readonly objects: Pick<ObjectStore, 'get'>;
}

type BucketRequest = Omit<DownloadRequest, 'url'> & { readonly key: string };

/**
 * The whole archive; undefined where none of that key lies there. Rejects with a `CcxError` (codes `OBJECTS_*`, `DOWNLOAD_TIMEOUT`,
 * `DOWNLOAD_UNREACHABLE`, `ARCHIVE_EMPTY`, `ARCHIVE_TOO_BIG`), or with the signal's reason.
 */
export async function fetchFromBucket(
  request: BucketRequest,
  bucket: OwnBucket,
  options: DownloadOptions,
): Promise<Buffer | undefined> {
  const watch = new DownloadWatch(options);
  const ended = AbortSignal.any([request.signal, watch.signal]);
  try {
    const found = await orEnded(bucket.objects.get(request.key), ended);
    if (found === undefined) return undefined;
    const { body, object } = found;
    body.on('error', () => undefined);
    const stop = () => body.destroy(new Error('given up'));
    ended.addEventListener('abort', stop);
    try {
      if (ended.aborted) stop();
      watch.answered();
      const packed = await gatherBody(body, object.sizeBytes, request, watch);
      if (packed.length === 0) throw inputError('ARCHIVE_EMPTY', 'Empty input archive');
      return packed;
    } finally {
      ended.removeEventListener('abort', stop);
      body.destroy();
    }
  } catch (error) {
    request.signal.throwIfAborted();
    if (watch.late !== undefined) throw tooLate(watch.late, error);
    if (error instanceof CcxError) throw error;
    throw new CcxError('the archive broke off on its way from the bucket', {
      ...{ code: 'DOWNLOAD_UNREACHABLE', category: 'connection', retryable: true },
      cause: error,
    });
  } finally {
    watch.end();
  }
}

/** What comes too late is let go. */
function orEnded(asked: ReturnType<OwnBucket['objects']['get']>, ended: AbortSignal): typeof asked {
  return new Promise((resolve, reject) => {
    const giveUp = () => {
      asked.then((late) => late?.body.destroy()).catch(() => undefined);
      reject(ended.reason);
    };
    if (ended.aborted) return giveUp();
    ended.addEventListener('abort', giveUp, { once: true });
    asked.finally(() => ended.removeEventListener('abort', giveUp)).then(resolve, reject);
  });
}

/**
 * Whether an announced link leads to an archive in our own bucket, which is then fetched by its key: no link ends, and nobody is asked but
 * the store. By whatever name of the store, since ingress may reach it by another one; the key must be the request id, as everywhere on the
 * platform, so that an announcement cannot name anything else that lies there. Source: ingress.md A.6.1.
 */
export function isOwnLink(link: string, bucket: string, requestId: string | null): requestId is string {
  const url = URL.parse(link);
  if (url === null || !mayBeKey(requestId)) return false;
  const path = decoded(url.pathname);
  return path === `/${bucket}/${requestId}` || (path === `/${requestId}` && url.hostname.startsWith(`${bucket}.`));
}

/** Request ids come from an announcement, and those from clients. */
export function mayBeKey(requestId: string | null): requestId is string {
  return requestId !== null && isObjectKey(requestId) && !isReservedKey(requestId);
}

function decoded(path: string): string | undefined {
  try {
    return decodeURIComponent(path);
  } catch {
    return undefined;
  }
}
