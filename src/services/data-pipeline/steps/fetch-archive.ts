/**
 * Hop 4, first half: the archive behind the announced link, in memory, within the bytes that all archives together may take. What may
 * pass is tried again with pauses; what will not, or not in time, is dead-lettered. Source: data-pipeline.md 3.1.
 */

import { CcxError } from '../../../encoding/ccx-error.ts';
import { deadLetter, done, retry, type StepAnswer, type StepAttempt } from '../../../platform/bus/intake/step.ts';
import type { ByteBudget, ByteLease } from '../byte-budget.ts';
import { isAllowedLink, type LinkPolicy } from '../decide/is-allowed-link.ts';
import type { DownloadRequest } from '../http-archive-source.ts';
import type { Upload } from '../upload.ts';

export interface FetchDependencies {
  readonly download: (request: DownloadRequest) => Promise<Buffer>;
  readonly budget: ByteBudget;
  readonly linkPolicy: LinkPolicy;
  /** What to follow in place of an announced link; most often the same. */
  readonly localLink: (link: string) => Promise<string>;
  readonly archiveBytesMax: number;
  /** Attempts go on for so long. */
  readonly retryMsMax: number;
}

interface FetchedArchive {
  readonly packed: Buffer;
  /** To be released once the archive is not needed any more. */
  readonly lease: ByteLease;
}

export async function fetchArchive(
  upload: Upload,
  dependencies: FetchDependencies,
  attempt: StepAttempt,
): Promise<StepAnswer<FetchedArchive>> {
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
    return { packed, lease };
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
