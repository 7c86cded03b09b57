/** Limits of database connections, migrations and the embedded server. */

/** Connections of one pool unless the service says otherwise: a small RDS instance allows about 80 to everybody together. */
export const connectionsMaxDefault = 10;
/** Opening one connection, TLS and authentication included; longer means an address that swallows packets. */
export const connectMsMax = 10_000;
/** Waiting for a free connection of a busy pool: beyond it the pool is too small or something holds connections. */
export const acquireMsMax = 60_000;
/** An idle connection is given back after this, so that a quiet service does not hold the server's slots. */
export const connectionIdleMsMax = 30_000;
/** A pooled connection is replaced when it is this old: what was true of its session at the start (where a failover led it, what it may) ends. */
export const connectionAgeMsMax = 15 * 60_000;
/** First probe of a silent TCP connection; cloud load balancers forget idle connections after a few minutes. */
export const keepAliveDelayMs = 30_000;
/** ROLLBACK of a failed transaction; a connection that does not answer by then is thrown away, which rolls back too. */
export const rollbackMsMax = 5_000;
/** Reconnects of LISTEN: the first is quick because most outages are a restart, the last is bounded because polling is the truth. */
export const listenRetryMsMin = 100;
export const listenRetryMsMax = 5_000;
/** The oldest server that the schema is tested for. */
export const serverVersionMin = 13;

/** Start of the embedded server until it answers; a crash recovery after a power cut reads all WAL since the last checkpoint. */
export const embeddedStartMsMax = 120_000;
/** Between two looks at a server that is starting or stopping. */
export const embeddedPollMs = 20;
/** Fast shutdown writes a checkpoint; together with the next one it stays below the limit of one cleanup (10 s). */
export const embeddedFastStopMsMax = 7_000;
/** Immediate shutdown writes nothing; the next start recovers from WAL. */
export const embeddedImmediateStopMsMax = 2_000;
/** The server notices that its dead owner's connection is closed well within this. */
export const embeddedOwnerReleaseMsMax = 2_000;
/** Between two tries to get the ownership connection back after the server restarted itself. */
export const embeddedOwnerRetryMs = 250;
/** How long the processes of a server that was killed may keep its memory from the next one: until the statement that each is in has ended. */
export const embeddedOrphansMsMax = 30_000;
/** Between two starts meanwhile. */
export const embeddedOrphansPollMs = 250;
/** Another process may take the free port between our look and the server's bind. */
export const embeddedPortTriesMax = 5;
/** server.log is set aside (one generation) when it is larger than this at a start. */
export const embeddedLogBytesMax = 1024 * 1024;
/** How much of server.log an error quotes. */
export const embeddedLogTailBytesMax = 2048;
/** The start time in postmaster.pid is taken a moment before the one the server reports; recovery lies in between on slow disks. */
export const embeddedStartTimeToleranceSeconds = 60;
/** A half-initialised folder older than this was left by a start that was killed; initdb takes a second. */
export const embeddedLeftoverMsMin = 10 * 60_000;

/** Rows of a listing that are fetched at once. */
export const oldRowsPerRead = 1_000;
