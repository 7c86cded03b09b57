/**
 * The folder that holds everything an all-in-one installation keeps, and where in it what lies. Each part creates its own folder; who owns
 * the whole is the embedded PostgreSQL's business, which refuses a second process before anything else is opened.
 */
import { existsSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

export interface DataFolder {
  readonly root: string;
  readonly postgres: string;
  readonly objects: string;
  readonly receivers: string;
  /** True until `markUsed` was called once: nobody has sent anything through this installation. */
  isNew(): boolean;
  markUsed(): void;
}

export function dataFolderAt(path: string): DataFolder {
  const root = resolve(path);
  const marker = join(root, 'used');
  return {
    root,
    postgres: join(root, 'postgres'),
    objects: join(root, 'objects'),
    receivers: join(root, 'receivers'),
    isNew: () => !existsSync(marker),
    markUsed() {
      try {
        writeFileSync(marker, 'An archive has gone through this installation.\n');
      } catch {
        // On a full disk: then the demonstration is shown once more.
      }
    },
  };
}
