/** Limits of the content service. */

/** It takes no bodies; this leaves room for a client that sends a few bytes by mistake. */
export const requestBodyBytesMax = 1024;
