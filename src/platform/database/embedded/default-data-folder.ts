/**
 * Where an all-in-one installation keeps its data when nobody says: `./data`. As root the embedded server runs as another account, which may
 * not enter root's home, where a clone often lies; then a system folder serves, so that the first command works there too.
 */
import { resolve } from 'node:path';
import { chooseServerUser, findClosedFolder } from './server-user.ts';

const inWorkingFolder = './data';
const forRoot = '/var/lib/ccx-notifications';

/** Absolute path; the same for the same user and working folder, so that tools find what the runner made. */
export function defaultDataFolder(
  workingFolder: string = process.cwd(),
  uid: number | undefined = process.getuid?.(),
): string {
  const user = chooseServerUser(uid);
  if (user !== undefined && findClosedFolder(workingFolder, user) !== undefined) return forRoot;
  return resolve(workingFolder, inWorkingFolder);
}
