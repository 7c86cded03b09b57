/** Limits of database connections, migrations and the embedded server. */

/** Between two looks at a server that is starting or stopping. */
export const embeddedPollMs = 20;
