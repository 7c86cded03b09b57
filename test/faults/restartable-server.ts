/** A PostgreSQL of a test's own that dies, or is stopped, and comes back on the same folder and port. */
import { join } from 'node:path';
import { createSystemClock } from '../../src/platform/clock/clock.ts';
import { isAlive } from '../../src/platform/database/embedded/postmaster-file.ts';
import { startEmbeddedPostgres } from '../../src/platform/database/embedded/start-embedded-postgres.ts';
import { createTestFolder } from '../support/data-folder.ts';
import { until } from '../support/until.ts';

const clock = createSystemClock();

export interface RestartableServer {
  /** To the maintenance database; the same before and after a restart. */
  readonly url: string;
  readonly port: number;
  /** SIGKILL, or a stop in good order that ends every session, and a start after so long. */
  restart(how: 'killed' | 'stopped', afterMs: number): Promise<void>;
  /** Ends it and removes its folder. */
  remove(): Promise<void>;
}

export async function startRestartableServer(): Promise<RestartableServer> {
  const home = await createTestFolder();
  const dataDir = join(home.path, 'server');
  let server = await startEmbeddedPostgres({ dataDir, clock });
  const { url, port } = server;
  return {
    ...{ url, port },
    async restart(how, afterMs) {
      const { pid } = server;
      if (how === 'killed') {
        process.kill(pid, 'SIGKILL');
        await until(() => !isAlive(pid));
      }
      await server.stop();
      await clock.sleep(afterMs);
      server = await startEmbeddedPostgres({ dataDir, clock, port });
    },
    async remove() {
      await server.stop();
      await home.remove();
    },
  };
}
