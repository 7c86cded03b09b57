/** Limits of starting and stopping. */

/** One cleanup; Kubernetes grants 30 s to the whole process by default, and the slowest cleanup must leave room for the others. */
export const cleanupMsMax = 10_000;
