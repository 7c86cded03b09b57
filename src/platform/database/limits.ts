/** Limits of database connections, migrations and the embedded server. */

/** Connections of one pool unless the service says otherwise: a small RDS instance allows about 80 to everybody together. */
export const connectionsMaxDefault = 10;
/** Opening one connection, TLS and authentication included; longer means an address that swallows packets. */
export const connectMsMax = 10_000;
/** Waiting for a free connection of a busy pool: beyond it the pool is too small or something holds connections. */
export const acquireMsMax = 60_000;
/** An idle connection is given back after this, so that a quiet service does not hold the server's slots. */
export const connectionIdleMsMax = 30_000;
/** First probe of a silent TCP connection; cloud load balancers forget idle connections after a few minutes. */
export const keepAliveDelayMs = 30_000;
/** ROLLBACK of a failed transaction; a connection that does not answer by then is thrown away, which rolls back too. */
export const rollbackMsMax = 5_000;
/** Reconnects of LISTEN: the first is quick because most outages are a restart, the last is bounded because polling is the truth. */
export const listenRetryMsMin = 100;
export const listenRetryMsMax = 5_000;
/** The oldest server that the schema is tested for. */
export const serverVersionMin = 13;
