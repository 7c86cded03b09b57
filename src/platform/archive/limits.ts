/** Limits of opening an archive. The operator itself stops at 24 MiB unpacked and refuses to send 10 MiB packed (ingress.md B.3.2). */
import type { ArchiveLimits } from './archive.ts';

/** What ingress accepts by default (INGRESS_DEFAULTMAXSIZE); an archive behind any other link is held to the same. */
export const packedBytesMax = 100 * 1024 ** 2;
/** More than twice what an operator ever packs; an archive lies in memory while the rules run, so this bounds a process. */
export const unpackedBytesMax = 64 * 1024 ** 2;
/** The largest genuine files are container logs and tables of a few MiB. */
export const entryBytesMax = 16 * 1024 ** 2;
/** Genuine archives have 200 to 2 000 entries; a million empty ones would cost memory and time without any content. */
export const entriesMax = 20_000;
/** Genuine archives unpack to 7 to 12 times their size; deflate ends at 1032. Repetitive logs stay well below 200. */
export const ratioMax = 200;
/** Kubernetes names end at 253 bytes and the operator's file names at 255; a few of them make a path. */
export const pathBytesMax = 1024;
/** The deepest genuine path has nine parts. */
export const pathDepthMax = 32;

export const defaultArchiveLimits: ArchiveLimits = {
  packedBytesMax,
  unpackedBytesMax,
  entryBytesMax,
  entriesMax,
  ratioMax,
  pathBytesMax,
  pathDepthMax,
};
