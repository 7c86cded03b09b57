/** Limits of ingress. The operator refuses to send 10 MiB of archive and gives up after 60 s (ingress.md B.3). */

/** No body is gathered by the HTTP server itself: the steps of an upload read it, and nobody else has one. */
export const gatheredBodyBytesMax = 1;

/** No rate is asked for during the first seconds of waiting for a client. */
export const bodyFirstMsMax = 5_000;
/** Then as much as brings an ordinary archive (60 KiB) within the 60 s that the operator gives it. */
export const leastBytesPerSecond = 1024;

/** After a refusal so much is still read and thrown away, because a client that is still writing does not see the answer otherwise. */
export const drainBytesMax = 16 * 1024 ** 2;

export const retryAfterSeconds = 30;
