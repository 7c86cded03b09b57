/**
 * Finds the embedded server that some other process runs on a data folder, for tools that look at a living installation. It never starts or
 * takes over anything.
 */
import { realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { isAlive, readPostmasterFile, servesFolder } from './postmaster-file.ts';
import { EMBEDDED_USER, readPassword } from './prepare-folder.ts';

/** URL of the server's database `name`, or undefined when no server runs on the folder. */
export async function findRunningServer(dataDir: string, name: string): Promise<string | undefined> {
  const cluster = await realpath(join(dataDir, 'cluster')).catch(() => undefined);
  if (cluster === undefined) return undefined;
  const file = await readPostmasterFile(cluster);
  if (file === undefined || !isAlive(file.pid) || !(await servesFolder(file.pid, cluster))) return undefined;
  const password = await readPassword(cluster);
  return `postgres://${EMBEDDED_USER}:${encodeURIComponent(password)}@127.0.0.1:${file.port}/${name}`;
}
