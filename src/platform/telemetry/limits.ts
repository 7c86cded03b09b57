/** Limits of what is kept about requests. */

/** Service, status, organization and the like; part of an index key. */
export const traceWordBytesMax = 255;
/** Error texts and other explanations, for people. */
export const traceDetailBytesMax = 2048;
/** A request has a few dozen events; a thousand of them is somebody who sends everything under one id. */
export const traceReadRowsMax = 1000;
/** Rows deleted at once: each statement stays short, so that nobody waits for it and a stop is not held up. */
export const traceDeleteRowsMax = 5000;
