/** An opened archive: every regular file by its path from the archive root, in memory, within the limits it was opened under. */

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

/** What was met while the archive was read; for events and metrics. */
export interface ArchiveSummary {
  readonly format: 'tar' | 'tar.gz';
  readonly packedBytes: number;
  readonly unpackedBytes: number;
  /** Every entry that is not an extended header: files, directories and what was skipped. */
  readonly entries: number;
  /** Links that name no earlier member, devices, FIFOs, labels, what a desktop adds: nothing of them is kept. */
  readonly skippedEntries: number;
  /** Files that a later entry of the same path replaced. */
  readonly duplicateEntries: number;
  /** The common parent directory that was taken off every path, if there was one. */
  readonly strippedDirectory: string | undefined;
}

export interface OpenedArchive {
  readonly files: ArchiveFiles;
  readonly summary: ArchiveSummary;
}
