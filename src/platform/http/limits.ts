/** Limits of HTTP servers and clients. */

/** How often overdue first bytes, headers and requests are looked for: Node's own 30 s would turn 15 s into 15 to 45. */
export const overdueCheckedEveryMs = 1_000;
