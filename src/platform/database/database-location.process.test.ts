/** Tools find the database they were told about, and say what to do when there is none. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { Command } from 'commander';
import { testServerUrl } from '../../../test/support/postgres.ts';
import { temporaryFile, temporaryFolder } from '../../../test/support/temporary-folder.ts';
import { createSystemClock } from '../clock/clock.ts';
import { connectDatabase } from './connect-database.ts';
import {
  addDatabaseLocation,
  EMBEDDED_DATABASE_NAME,
  EMBEDDED_POSTGRES_FOLDER,
  locateDatabase,
} from './database-location.ts';
import { createDatabaseIfMissing, startEmbeddedPostgres } from './embedded/start-embedded-postgres.ts';

function located(args: readonly string[], env: Record<string, string> = {}): Promise<string> {
  const command = addDatabaseLocation(new Command()).exitOverride();
  command.parse(args, { from: 'user' });
  return locateDatabase(command, { env, args: [...args], programName: 'ccx' });
}

test('a named URL wins over everything', async () => {
  assert.equal(
    await located(['--database', 'postgres://a/b'], { CCX_DATABASE_URL: 'postgres://c/d' }),
    'postgres://a/b',
  );
  assert.equal(await located([], { CCX_DATABASE_URL: 'postgres://c/d' }), 'postgres://c/d');
  const file = temporaryFile('url', 'postgres://e/f\n');
  assert.equal(await located([], { CCX_DATABASE_URL_FILE: file }), 'postgres://e/f');
});

test('the embedded server of a running installation is found by its data folder, and not once it is stopped', async () => {
  await testServerUrl();
  const dataDir = join(temporaryFolder(), 'data');
  const server = await startEmbeddedPostgres({
    dataDir: join(dataDir, EMBEDDED_POSTGRES_FOLDER),
    clock: createSystemClock(),
  });
  try {
    await createDatabaseIfMissing(server.url, EMBEDDED_DATABASE_NAME);
    const database = connectDatabase({ url: await located(['--data', dataDir]), applicationName: 'test' });
    await database.check();
    await database.close();
  } finally {
    await server.stop();
  }
  await assert.rejects(located(['--data', dataDir]), {
    code: 'DATABASE_LOCATION',
    hint: /--data DIR/,
  });
});
