/** Creates a database on a server that we own (embedded or a test's). Called by the all-in-one runner and the test support. */
import pg from 'pg';
import { parseDatabaseUrl, withDatabaseName } from '../connection-url.ts';

/**
 * Creates database `name` on the server of `url` unless it is there; resolves to the URL of the database either way. `template` names a
 * database to clone, to which nobody may be connected.
 */
export async function createDatabaseIfMissing(url: string, name: string, template?: string): Promise<string> {
  const { client: config } = parseDatabaseUrl({
    url,
    applicationName: 'ccx-create-database',
    setting: 'the database URL',
  });
  const client = new pg.Client(config);
  client.on('error', () => undefined);
  await client.connect();
  try {
    const { rowCount } = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [name]);
    if (rowCount === 0) {
      const from = template === undefined ? '' : ` TEMPLATE ${pg.escapeIdentifier(template)}`;
      await client.query(`CREATE DATABASE ${pg.escapeIdentifier(name)}${from}`).catch((error: { code?: string }) => {
        // Somebody else created it between the two statements.
        if (error.code !== '42P04' && error.code !== '23505') throw error;
      });
    }
  } finally {
    await client.end();
  }
  return withDatabaseName(url, name);
}
