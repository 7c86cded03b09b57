/** Limits of opening an archive. The operator itself stops at 24 MiB unpacked and refuses to send 10 MiB packed (ingress.md B.3.2). */
import type { ArchiveLimits } from './archive.ts';

const kibibyte = 1024;
const mebibyte = 1024 * kibibyte;

/** What ingress accepts by default (INGRESS_DEFAULTMAXSIZE); an archive behind any other link is held to the same. */
export const packedBytesMax = 100 * mebibyte;
/** More than twice what an operator ever packs; an archive lies in memory while the rules run, so this bounds a process. */
export const unpackedBytesMax = 64 * mebibyte;
/** The largest genuine files are container logs and tables of a few MiB. */
export const entryBytesMax = 16 * mebibyte;
/** Genuine archives have 200 to 2 000 entries; a million empty ones would cost memory and time without any content. */
export const entriesMax = 20_000;
/** Genuine archives unpack to 7 to 12 times their size; deflate ends at 1032. Repetitive logs stay well below 200. */
export const ratioMax = 200;
/** The ratio says nothing about small archives: one page of zeros is no bomb. */
export const ratioCheckedFromBytes = 4 * mebibyte;
/** Kubernetes names end at 253 bytes and the operator's file names at 255; a few of them make a path. */
export const pathBytesMax = 1024;
/** The deepest genuine path has nine parts. */
export const pathDepthMax = 32;
/** One extended header (pax, GNU long name): a path, times, a desktop's extended attributes. Go's archive/tar ends at the same. */
export const extendedHeaderBytesMax = mebibyte;

/** Output buffer of gunzip: large enough that an ordinary archive needs few turns, small enough for many archives at once. */
export const gunzipChunkBytes = 128 * kibibyte;

export const defaultArchiveLimits: ArchiveLimits = {
  packedBytesMax,
  unpackedBytesMax,
  entryBytesMax,
  entriesMax,
  ratioMax,
  pathBytesMax,
  pathDepthMax,
};
