/** What a machine holds about the repository with a PostgreSQL at hand: docs/database.md against the migrations. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { renderDatabasePage } from '../scripts/docs/database-page.ts';
import { databaseDocPath, readDatabaseDoc } from '../scripts/generate-database-doc.ts';
import { createTestDatabase } from './support/postgres.ts';

test(`${databaseDocPath} says what the migrations make`, async () => {
  const context = await createTestDatabase();
  try {
    assert.equal(
      readDatabaseDoc(),
      await renderDatabasePage(context.database),
      `${databaseDocPath} is stale: npm run generate`,
    );
  } finally {
    await context.drop();
  }
});
