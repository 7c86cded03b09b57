/**
 * Hop 4, first half: the archive behind the announced link, as an open file of this machine where it is one, else in memory, within the
 * bytes that all archives together may take. What may pass is tried again with pauses; what will not, or not in time, is dead-lettered. Source: data-pipeline.md 3.1.
 */

import { CcxError, errorCode } from '../../../encoding/ccx-error.ts';
import { deadLetter, done, retry, type StepAnswer, type StepAttempt } from '../../../platform/bus/intake/step.ts';
import { isOwnLink, mayBeKey } from '../bucket-archive-source.ts';
import type { ByteBudget } from '../byte-budget.ts';
import { isAllowedLink, type LinkPolicy } from '../decide/is-allowed-link.ts';

import type { DownloadRequest } from '../http-archive-source.ts';
import type { RuleRun } from '../runner/rule-run.ts';
import type { Upload } from '../upload.ts';

export interface FetchDependencies {
  /** The archive behind a link where it is a file of this machine that the runners can read; undefined where the link is to be followed. */
  readonly openFile: (link: string) => Promise<ArchiveFile | undefined>;
  readonly download: (request: DownloadRequest) => Promise<Buffer>;
  /** Our own bucket, where archives are fetched by key: undefined where none of that key lies there. */
  readonly bucket?:
    | {
        readonly name: string;
        readonly fetch: (
          request: Omit<DownloadRequest, 'url'> & { readonly key: string },
        ) => Promise<Buffer | undefined>;
      }
    | undefined;
  readonly budget: ByteBudget;
  readonly linkPolicy: LinkPolicy;
  /** What to follow in place of an announced link; most often the same. */
  readonly localLink: (link: string) => Promise<string>;
  readonly archiveBytesMax: number;
  /** Attempts go on for so long. */
  readonly retryMsMax: number;
}

/** An open file of this process. */
interface ArchiveFile {
  readonly path: string;
  readonly bytes: number;
  close(): Promise<void>;
}

interface FetchedArchive {
  /** Its bytes, or where a runner finds them. */
  readonly packed: RuleRun['packed'];
  readonly bytes: number;
  /** Once the archive is not needed any more. */
  release(): void;
}

export async function fetchArchive(
  upload: Upload,
  dependencies: FetchDependencies,
  attempt: StepAttempt,
): Promise<StepAnswer<FetchedArchive>> {
  const file = await openFile(upload, dependencies);
  if (file !== undefined) return done(file);
  const source = await sourceOf(upload, dependencies);
  if (source === undefined) return deadLetter(linkRefused());
  try {
    return done(await fetchWithinBudget({ ...upload, source }, dependencies, attempt.signal));
  } catch (error) {
    if (!(error instanceof CcxError)) throw error;
    const isInTime = attempt.elapsedMs + attempt.retryMs <= dependencies.retryMsMax;
    return error.retryable && isInTime ? retry(error, attempt.retryMs) : deadLetter(error);
  }
}

/** A file costs none of the bytes that are held at once: a runner reads it. Undefined for one that is empty or too large, too. */
async function openFile(upload: Upload, dependencies: FetchDependencies): Promise<FetchedArchive | undefined> {
  // Whatever is wrong with it, following the link says so.
  const file = await dependencies.openFile(upload.url).catch(() => undefined);
  if (file === undefined) return undefined;
  const { path, bytes } = file;
  const release = () => void file.close().catch(() => undefined);
  if (bytes > 0 && bytes <= dependencies.archiveBytesMax) return { packed: { path, bytes }, bytes, release };
  release();
  return undefined;
}

/**
 * Reserves what ingress counted, or the most where it did not say. An archive that turns out larger than announced, with no room
 * left to grow, is dropped and fetched again after the most was reserved: waiting for more while holding some could block all.
 */
async function fetchWithinBudget(
  upload: SourcedUpload,
  dependencies: FetchDependencies,
  signal: AbortSignal,
): Promise<FetchedArchive> {
  const { archiveBytesMax } = dependencies;
  const announced = upload.announcedBytes;
  const isPlausible = announced !== undefined && announced > 0 && announced <= archiveBytesMax;
  const first = isPlausible ? announced : archiveBytesMax;
  try {
    return await fetchReserved(first, upload, dependencies, signal);
  } catch (error) {
    const outgrown = error instanceof CcxError && error.code === 'DOWNLOAD_NO_ROOM' && first < archiveBytesMax;
    if (!outgrown) throw error;
    return await fetchReserved(archiveBytesMax, upload, dependencies, signal);
  }
}

async function fetchReserved(
  bytes: number,
  upload: SourcedUpload,
  dependencies: FetchDependencies,
  signal: AbortSignal,
): Promise<FetchedArchive> {
  const lease = await dependencies.budget.acquire(bytes, upload.orgId, signal);
  try {
    const reserve = (size: number) => lease.tryGrow(size);
    const request = { bytesMax: dependencies.archiveBytesMax, reserve, signal };
    const packed = await fetchFrom(upload, dependencies, request);
    lease.shrink(packed.length);
    return { packed, bytes: packed.length, release: () => lease.release() };
  } catch (error) {
    lease.release();
    throw error;
  }
}

/** Where an archive may be fetched from; at least one of the two. */
interface ArchiveSource {
  /** In our own bucket. */
  readonly key: string | undefined;
  readonly url: string | undefined;
}

type SourcedUpload = Upload & { readonly source: ArchiveSource };

/** Undefined for a link that leads neither into our own bucket nor to where links may lead. */
async function sourceOf(
  { url: announced, requestId }: Upload,
  { bucket, localLink, linkPolicy }: FetchDependencies,
): Promise<ArchiveSource | undefined> {
  const key = bucket !== undefined && isOwnLink(announced, bucket.name, requestId) ? requestId : undefined;
  // At each attempt: a link has an end, and attempts go on for a while.
  const link = await localLink(announced);
  const url = isAllowedLink(link, linkPolicy) ? link : undefined;
  return key === undefined && url === undefined ? undefined : { key, url };
}

/**
 * By key where the link leads into our own bucket, else by the link. One that is forbidden has most likely ended: where we have a bucket, the
 * archive may lie there all the same, under another name of the store; elsewhere that is final.
 */
async function fetchFrom(
  { source: { key, url }, requestId }: SourcedUpload,
  { bucket, download }: FetchDependencies,
  request: Omit<DownloadRequest, 'url'>,
): Promise<Buffer> {
  const ours = key === undefined ? undefined : await bucket?.fetch({ ...request, key });
  if (ours !== undefined) return ours;
  // Not there, and nobody else to ask.
  if (url === undefined) throw notInBucket(bucket?.name ?? '');
  try {
    return await download({ ...request, url });
  } catch (error) {
    const mayLieHere = errorCode(error) === 'DOWNLOAD_FORBIDDEN' && key === undefined && mayBeKey(requestId);
    const found = mayLieHere ? await bucket?.fetch({ ...request, key: requestId }) : undefined;
    if (found === undefined) throw error;
    return found;
  }
}

function notInBucket(bucket: string): CcxError {
  return new CcxError(`the bucket ${bucket} holds no such archive`, {
    code: 'ARCHIVE_GONE',
    category: 'input',
    hint: 'its lifecycle has to keep archives for longer than the topic keeps announcements',
  });
}

function linkRefused(): CcxError {
  return new CcxError('Invalid URL format', {
    code: 'DOWNLOAD_LINK_REFUSED',
    category: 'input',
    hint: 'name the host in download.allowed_hosts, or set download.allow_unsafe_links',
  });
}
