/**
 * PostgreSQL refuses to run as root. This picks the account that runs the embedded server when we are root (a container's default),
 * and finds the folder that keeps that account from its data. Called by the launcher; ordinary users run the server as themselves.
 */
import { readFileSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { CcxError } from '../../../encoding/ccx-error.ts';

export interface ServerUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/** Undefined when the server can run as the current user. Throws `EMBEDDED_POSTGRES_NO_USER` when root finds no account to use. */
export function chooseServerUser(currentUid: number | undefined, passwdFile = '/etc/passwd'): ServerUser | undefined {
  if (currentUid !== 0) return undefined;
  const users = readPasswd(passwdFile);
  // initdb looks its own uid up and fails without an entry, so a bare number is not enough.
  const chosen =
    users.find((user) => user.uid === 65_534) ??
    users.find((user) => user.name === 'nobody') ??
    users.find((user) => user.uid === 1000);
  if (chosen === undefined) {
    throw new CcxError('the embedded PostgreSQL cannot run as root and there is no other account', {
      code: 'EMBEDDED_POSTGRES_NO_USER',
      category: 'configuration',
      hint: `add a user "nobody" to ${passwdFile}, run as an ordinary user, or use a server of your own with --database`,
    });
  }
  return chosen;
}

function readPasswd(path: string): ServerUser[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    return [];
  }
  return text.split('\n').flatMap((line) => {
    const [name, , uid, gid] = line.split(':');
    const usable = name !== undefined && name !== '' && /^\d+$/.test(uid ?? '') && /^\d+$/.test(gid ?? '');
    return usable ? [{ name, uid: Number(uid), gid: Number(gid) }] : [];
  });
}

/** The nearest folder above `path` (itself included) that `user` may not pass through, judged by mode bits. */
export function findClosedFolder(path: string, user: ServerUser): string | undefined {
  const folders: string[] = [];
  for (let folder = path; ; folder = dirname(folder)) {
    folders.push(folder);
    if (dirname(folder) === folder) break;
  }
  return folders.reverse().find((folder) => {
    const stat = statSync(folder);
    const bit = stat.uid === user.uid ? 0o100 : stat.gid === user.gid ? 0o010 : 0o001;
    return (stat.mode & bit) === 0;
  });
}
