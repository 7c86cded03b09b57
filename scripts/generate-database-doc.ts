/**
 * Writes docs/database.md. Apart from the other pages because it needs a PostgreSQL: it starts
 * a throw-away one. Called by `npm run generate`.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connectDatabase } from '../src/platform/database/connect-database.ts';
import { createDatabaseIfMissing } from '../src/platform/database/embedded/start-embedded-postgres.ts';
import { startTestServer } from '../test/support/postgres-server.ts';
import { renderDatabasePage } from './docs/database-page.ts';
import { repositoryRoot } from './docs/source-tree.ts';

export const databaseDocPath = 'docs/database.md';

/** The page as it should be, from a database of its own. */
export async function renderDatabaseDoc(): Promise<string> {
  const server = await startTestServer();
  try {
    const url = await createDatabaseIfMissing(server.url, 'documented');
    const database = connectDatabase({ url, applicationName: 'generate-database-doc' });
    return await renderDatabasePage(database).finally(() => database.close());
  } finally {
    await server.stop();
  }
}

export async function writeDatabaseDoc(): Promise<void> {
  writeFileSync(join(repositoryRoot, databaseDocPath), await renderDatabaseDoc());
}

export function readDatabaseDoc(): string {
  return readFileSync(join(repositoryRoot, databaseDocPath), 'utf8');
}

if (import.meta.main) {
  await writeDatabaseDoc();
  process.stdout.write(`${databaseDocPath}\n`);
}
