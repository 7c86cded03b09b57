/** Limits of the runner pool that no caller needs to choose. */

/** A child that has not loaded its module by then never will; generous, since a busy machine starts Node slowly. */
export const childStartMsMax = 60_000;

/** How often a busy child is looked at from outside: memory, deadline, time in one step. An overrun is noticed at most this late. */
export const watchMs = 50;

/** How often a child looks whether its parent still lives; an orphan in a busy loop ends at most this late. */
export const parentCheckMs = 250;

/** After a child's exit its pipes may still hold the last label; they are read for at most this long. */
export const drainMsMax = 1_000;

/** First pause after a child that could not start; doubles with each further failure. */
export const startBackoffMsMin = 100;
/** Longest such pause. */
export const startBackoffMsMax = 30_000;
/** After so many failures in a row without a living child, waiting jobs are refused instead of kept. */
export const startFailuresMax = 3;

/** A label is a rule's module or the name of a step; longer text is cut, so that a pipe cannot be flooded with one. */
export const labelBytesMax = 512;

/** What a child wrote on stderr before it died; the end tells why. */
export const stderrBytesMax = 4_096;

/**
 * Share of a child's memory limit that V8's old generation may take. The rest is for buffers, code and the young generation; V8 then
 * gives up by itself shortly before the watcher would kill.
 */
export const heapShareOfMemory = 0.75;

/** Jobs that may wait per child, where the caller does not say: a second of work of ordinary archives. */
export const queuedJobsPerChildMax = 64;
