/**
 * Hop 4, first half: the archive behind the announced link, as an open file of this machine where it is one, else in memory, within the
 * bytes that all archives together may take. What may pass is tried again with pauses; what will not, or not in time, is dead-lettered. Source: data-pipeline.md 3.1.
 */

import { CcxError } from '../../../encoding/ccx-error.ts';
import { deadLetter, done, retry, type StepAnswer, type StepAttempt } from '../../../platform/bus/intake/step.ts';
import type { ByteBudget } from '../byte-budget.ts';
import { isAllowedLink, type LinkPolicy } from '../decide/is-allowed-link.ts';
import type { DownloadRequest } from '../http-archive-source.ts';
import type { RuleRun } from '../runner/rule-run.ts';
import type { Upload } from '../upload.ts';

export interface FetchDependencies {
  /** The archive behind a link where it is a file of this machine that the runners can read; undefined where the link is to be followed. */
  readonly openFile: (link: string) => Promise<ArchiveFile | undefined>;
  readonly download: (request: DownloadRequest) => Promise<Buffer>;
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
  // At each attempt: a link has an end, and attempts go on for a while.
  const url = await dependencies.localLink(upload.url);
  if (!isAllowedLink(url, dependencies.linkPolicy)) return deadLetter(linkRefused());
  try {
    return done(await fetchWithinBudget({ ...upload, url }, dependencies, attempt.signal));
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
  upload: Upload,
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
  upload: Upload,
  dependencies: FetchDependencies,
  signal: AbortSignal,
): Promise<FetchedArchive> {
  const lease = await dependencies.budget.acquire(bytes, upload.orgId, signal);
  try {
    const packed = await dependencies.download({
      url: upload.url,
      bytesMax: dependencies.archiveBytesMax,
      reserve: (size) => lease.tryGrow(size),
      signal,
    });
    lease.shrink(packed.length);
    return { packed, bytes: packed.length, release: () => lease.release() };
  } catch (error) {
    lease.release();
    throw error;
  }
}

function linkRefused(): CcxError {
  return new CcxError('Invalid URL format', {
    code: 'DOWNLOAD_LINK_REFUSED',
    category: 'input',
    hint: 'name the host in download.allowed_hosts, or set download.allow_unsafe_links',
  });
}
