/** Limits of the runner pool that no caller needs to choose. */

/** Longest such pause. */
export const startBackoffMsMax = 30_000;

/** A label is a rule's module or the name of a step; longer text is cut, so that a pipe cannot be flooded with one. */
export const labelBytesMax = 512;
