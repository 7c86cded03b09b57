/**
 * The folder that holds everything an all-in-one installation keeps, and where in it what lies. Who owns it is the embedded PostgreSQL's
 * business: a second process on the same folder is refused there, before anything else is opened.
 */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { CcxError } from '../../contracts/ccx-error.ts';

export interface DataFolder {
  readonly root: string;
  readonly postgres: string;
  readonly objects: string;
  readonly receivers: string;
  /** True until `markUsed` was called once: nobody has sent anything through this installation. */
  readonly isNew: boolean;
  markUsed(): void;
}

/** Creates what is missing. Code: `DATA_FOLDER_UNUSABLE`. */
export function openDataFolder(path: string): DataFolder {
  const root = resolve(path);
  const marker = join(root, 'used');
  const folders = {
    postgres: join(root, 'postgres'),
    objects: join(root, 'objects'),
    receivers: join(root, 'receivers'),
  };
  try {
    // The server of the embedded PostgreSQL may run as another account and must be able to pass through.
    mkdirSync(root, { recursive: true, mode: 0o755 });
    for (const folder of Object.values(folders)) mkdirSync(folder, { recursive: true, mode: 0o755 });
  } catch (cause) {
    throw new CcxError(`the data folder ${root} cannot be used`, {
      code: 'DATA_FOLDER_UNUSABLE',
      category: 'configuration',
      cause,
      hint: 'choose a folder that this user may write to with --data DIR',
    });
  }
  return {
    root,
    ...folders,
    isNew: !existsSync(marker),
    markUsed: () => writeFileSync(marker, 'An archive has gone through this installation.\n'),
  };
}
