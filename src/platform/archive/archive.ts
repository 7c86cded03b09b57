/** An opened archive: every regular file by its path from the archive root, in memory, within the limits it was opened under. */

/** Path without leading `./` and without a common parent directory → bytes. */
export type ArchiveFiles = ReadonlyMap<string, Buffer>;

export interface ArchiveLimits {
  readonly packedBytesMax: number;
  readonly unpackedBytesMax: number;
  readonly entryBytesMax: number;
  readonly entriesMax: number;
  /** Unpacked bytes per packed byte, checked once a minimum was unpacked. */
  readonly ratioMax: number;
  readonly pathBytesMax: number;
  readonly pathDepthMax: number;
}
