/** At the start of an all-in-one: whether its data folder is a copy that must not run beside its original, and what its file says then. */
import { realpath } from 'node:fs/promises';
import { hostname } from 'node:os';
import { errorText } from '../encoding/ccx-error.ts';
import type { Clock } from '../platform/clock/clock.ts';
import { EMBEDDED_DATABASE_NAME, findRunningServer } from '../platform/database/database-location.ts';
import { recogniseInstallation, writeInstallation } from '../platform/lifecycle/installation-file.ts';
import { dataFolderAt } from './config.ts';

interface StartOf {
  readonly root: string;
  readonly originalIsGone: boolean;
  readonly clock: Clock;
  readonly progress: (line: string) => void;
}

/** Rejects for a copy that nobody has confirmed, before anything runs. Resolves to what writes the file, once the folder is this process's. */
export async function rememberInstallation(start: StartOf): Promise<() => Promise<void>> {
  const { root, originalIsGone, clock, progress } = start;
  const folder = await realpath(root).catch(() => root);
  const changed = await recogniseInstallation({
    ...{ folder, host: hostname(), uuid: clock.uuid, originalIsGone, runsOn },
  });
  return async () => {
    if (changed === undefined) return;
    try {
      // It may have been made, behind a symlink, since.
      const made = await realpath(root).catch(() => undefined);
      if (made !== undefined) await writeInstallation(made, { ...changed, folder: made });
    } catch (error) {
      // A copy that forgets that it was confirmed asks once more.
      progress(`warning: it cannot be kept which installation this is: ${errorText(error)}`);
    }
  };
}

/** Whether an installation runs on a folder of this machine. */
export async function runsOn(folder: string): Promise<boolean> {
  const url = await findRunningServer(dataFolderAt(folder).postgres, EMBEDDED_DATABASE_NAME).catch(() => undefined);
  return url !== undefined;
}
