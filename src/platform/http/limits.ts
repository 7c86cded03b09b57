/** Limits of HTTP servers and clients. */

/** A connection whose first byte has not come by then; whoever connects has something to say. */
export const firstByteMsMax = 5_000;
/** A client that has not sent its headers by then is not a client. */
export const headersMsMax = 15_000;
/** How often overdue first bytes, headers and requests are looked for: Node's own 30 s would turn 15 s into 15 to 45. */
export const overdueCheckedEveryMs = 1_000;
/** All headers of one request. Gateways pass on identities and cookies beyond Node's own 16 KiB; each connection may hold so much. */
export const headerBytesMax = 64 * 1024;
/** A kept-alive connection without a request. */
export const idleMsMax = 30_000;
/** An answer of which nothing was taken for so long has no reader. */
export const unreadMsMax = 30_000;
/** Where there is no room for another connection, one whose answer was not read for so long gives way. */
export const unreadGivesWayMs = 5_000;
/** Requests that a client may send before the first of them is answered; those that take them one by one send one. */
export const pipelinedMax = 16;
/** One request from first byte to last; the operator gives up after 60 s. */
export const requestMsMax = 60_000;
/** Connections at once, unless the caller says otherwise: a server for probes and scrapers has a handful. */
export const connectionsMax = 256;
/** One outgoing call, unless the caller says otherwise. */
export const callMsMax = 10_000;
/** Largest answer read into memory, unless the caller says otherwise. */
export const answerBytesMax = 16 * 1024 * 1024;
/** `/metrics` and `/ready` take no body. */
export const operationsBodyBytesMax = 1_024;
