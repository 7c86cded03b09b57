/** Limits of starting and stopping. */

/** One cleanup; Kubernetes grants 30 s to the whole process by default, and the slowest cleanup must leave room for the others. */
export const cleanupMsMax = 10_000;

/** One question of a readiness probe to a database or a bus; probes of Kubernetes give up after a second or a few. */
export const probeMsMax = 2_000;
/** All of them: they are asked at once. */
export const readinessMsMax = 2_500;
