/** Limits of HTTP servers and clients. */

/** A client that has not sent its headers by then is not a client. */
export const headersMsMax = 15_000;
/** A kept-alive connection without a request. */
export const idleMsMax = 30_000;
/** One request from first byte to last; the operator gives up after 60 s. */
export const requestMsMax = 60_000;
/** One outgoing call, unless the caller says otherwise. */
export const callMsMax = 10_000;
/** Largest answer read into memory, unless the caller says otherwise. */
export const answerBytesMax = 16 * 1024 * 1024;
/** `/metrics` and `/ready` take no body. */
export const operationsBodyBytesMax = 1_024;
