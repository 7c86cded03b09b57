/** Limits of the cluster simulator: the operator's own where it has some. Source: ingress.md B.3. */

/** The operator breaks an upload off rather than send this much. */
export const archiveBytesMax = 10 * 1024 * 1024;
/** One attempt, from connecting to the end of the answer. */
export const uploadMsMax = 60_000;
/** Go copies in pieces of this size. */
export const chunkBytes = 32 * 1024;
/** An answer is a few lines; more is cut off. */
export const answerBytesMax = 64 * 1024;
/** Clusters of one `ccx simulate`. */
export const clustersMax = 1_000_000;
/** Uploads at a time of one `ccx simulate`. */
export const parallelUploadsMax = 1_000;
/** Findings that a cluster gets when none are asked for. */
export const randomFindingsMax = 3;
/** A typical archive: so many files more, each with so much that does not compress and so much that does. See filler-files.ts. */
export const fillerFiles = 125;
export const fillerNoiseCharacters = 760;
export const fillerTextRepeats = 11;
