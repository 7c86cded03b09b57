/**
 * A process that owns an embedded server, for tests that kill it: starts the server in the folder given as argument, prints one line of
 * JSON (pid, url, adopted; or the error's code), and stops the server when its standard input says so.
 */
import { once } from 'node:events';
import { CcxError } from '../../src/encoding/ccx-error.ts';
import { createSystemClock } from '../../src/platform/clock/clock.ts';
import { readProcessInput } from '../../src/platform/config/process-input.ts';
import { startEmbeddedPostgres } from '../../src/platform/database/embedded/start-embedded-postgres.ts';

const [dataDir] = readProcessInput().args;
try {
  const server = await startEmbeddedPostgres({
    dataDir: dataDir!,
    clock: createSystemClock(),
    settings: { fsync: 'off' },
  });
  console.log(JSON.stringify({ pid: server.pid, url: server.url, adopted: server.adopted }));
  await once(process.stdin, 'data');
  await server.stop();
} catch (error) {
  console.log(JSON.stringify({ code: error instanceof CcxError ? error.code : String(error) }));
}
process.stdin.destroy();
