/** An opened archive: every regular file by its path from the archive root, in memory, within the limits it was opened under. */

/** What ingress accepts by default (INGRESS_DEFAULTMAXSIZE); an archive behind any other link is held to the same. */
export const packedBytesMax = 100 * 1024 ** 2;
/** More than twice what an operator ever packs; an archive lies in memory while the rules run, so this bounds a process. */
export const unpackedBytesMax = 64 * 1024 ** 2;
/** The largest genuine files are container logs and tables of a few MiB. */
export const entryBytesMax = 16 * 1024 ** 2;
/** Genuine archives have 200 to 2 000 entries; a million empty ones would cost memory and time without any content. */
export const entriesMax = 20_000;
/** Genuine archives unpack to 7 to 12 times their size; deflate ends at 1032. Repetitive logs stay well below 200. */
const ratioMax = 200;
/** Kubernetes names end at 253 bytes and the operator's file names at 255; a few of them make a path. */
const pathBytesMax = 1024;
/** The deepest genuine path has nine parts. */
const pathDepthMax = 32;

export const defaultArchiveLimits: ArchiveLimits = {
  packedBytesMax,
  unpackedBytesMax,
  entryBytesMax,
  entriesMax,
  ratioMax,
  pathBytesMax,
  pathDepthMax,
};

/** Path without leading `./` and without a common parent directory → bytes. */
export type ArchiveFiles = ReadonlyMap<string, Buffer>;

export interface ArchiveLimits {
  readonly packedBytesMax: number;
  /**
   * Bytes of the tar stream (contents, headers and padding alike, since a bomb may hide in any of them), of the holes of sparse files, and
   * of a file once more for each hard link to it.
   */
  readonly unpackedBytesMax: number;
  readonly entryBytesMax: number;
  readonly entriesMax: number;
  /** Bytes of the tar stream per packed byte, checked once a minimum was unpacked. */
  readonly ratioMax: number;
  readonly pathBytesMax: number;
  readonly pathDepthMax: number;
}

export interface OpenedArchive {
  readonly files: ArchiveFiles;
  readonly unpackedBytes: number;
  /** Links that name no earlier member, devices, FIFOs, labels, what a desktop adds: nothing of them is kept. */
  readonly skippedEntries: number;
}
