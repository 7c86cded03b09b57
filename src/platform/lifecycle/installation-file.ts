/**
 * Who an installation is: `installation.json` in its data folder. A copy of the folder would tell everybody what its original tells, so a
 * copy is known by what the file says and where it lies: one that `ccx restore` made says so until somebody has confirmed that the original
 * is gone; one made by other means lies beside the folder that it names. A copy on another machine that nothing here can know of passes.
 * Read at the start of the all-in-one; written by it and by `ccx restore`.
 */
import { open, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { CcxError } from '../../encoding/ccx-error.ts';

const fileName = 'installation.json';

const placeSchema = z.object({
  /** UUID; null for one of before there were ids. */
  id: z.uuid().nullable(),
  host: z.string(),
  /** Without symlinks. */
  folder: z.string(),
});

const installationSchema = z.object({
  ...placeSchema.shape,
  id: z.uuid(),
  restored: z
    .object({
      from: placeSchema,
      /** What the original did afterwards is not in it. RFC 3339. */
      taken_at: z.string(),
      state: z.enum(['unfinished', 'unconfirmed', 'confirmed']),
    })
    .optional(),
});

/** Where an installation lies, or lay. */
type InstallationPlace = Readonly<z.infer<typeof placeSchema>>;
export type Installation = Readonly<z.infer<typeof installationSchema>>;

/** Undefined where there is none. Code: `INSTALLATION_FILE`. */
export async function readInstallation(folder: string): Promise<Installation | undefined> {
  const path = join(folder, fileName);
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined;
    throw unusable(path, error);
  });
  if (text === undefined) return undefined;
  try {
    return installationSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw unusable(path, cause);
  }
}

/** Whole or not at all, and durable when it resolves. */
export async function writeInstallation(folder: string, installation: Installation): Promise<void> {
  const path = join(folder, fileName);
  const aside = `${path}.new`;
  try {
    const handle = await open(aside, 'w', 0o600);
    try {
      await handle.writeFile(`${JSON.stringify(installation, null, 2)}\n`);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(aside, path);
  } catch (error) {
    await rm(aside, { force: true }).catch(() => undefined);
    throw error;
  }
  const parent = await open(folder, 'r');
  try {
    await parent.sync();
  } finally {
    await parent.close();
  }
}

function unusable(path: string, cause: unknown): CcxError {
  return new CcxError(`${path} cannot be read, which says whether this is a copy`, {
    ...{ code: 'INSTALLATION_FILE', category: 'configuration', cause },
    hint: 'mend its rights or its text; where no other installation has this data, remove it: the next start writes another one',
  });
}

interface Here {
  readonly folder: string;
  readonly host: string;
  readonly uuid: () => string;
  /** Somebody has said that no other installation with this data runs, or will. */
  readonly originalIsGone: boolean;
  /** Whether an installation runs on a folder of this machine. */
  readonly runsOn: (folder: string) => Promise<boolean>;
}

/**
 * What the file of this folder has to say from now on; undefined: what it says already. Changes nothing. Codes: `RESTORE_UNFINISHED`,
 * `INSTALLATION_COPY`, `INSTALLATION_ORIGINAL_RUNS`, and that of reading.
 */
export async function recogniseInstallation(here: Here): Promise<Installation | undefined> {
  const found = await readInstallation(here.folder);
  const { host, folder } = here;
  if (found === undefined) return { id: here.uuid(), host, folder };
  const { restored } = found;
  if (restored?.state === 'unfinished') {
    throw new CcxError(`the restore into ${folder} was interrupted, and not everything is there`, {
      ...{ code: 'RESTORE_UNFINISHED', category: 'configuration' },
      hint: 'remove the folder and run ccx restore again',
    });
  }
  if (restored?.state === 'unconfirmed') {
    await requireGone(restored.from, here, `it was restored from a backup of ${restored.taken_at}`);
    return { ...found, host, folder, restored: { ...restored, state: 'confirmed' } };
  }
  if (found.folder === folder) return found.host === host ? undefined : { ...found, host };
  if (!(await liesThere(found, folder))) return { ...found, host, folder };
  await requireGone(found, here, 'its files were copied');
  return { id: here.uuid(), host, folder };
}

/** The folder that is named, with the same id, and not this one under another name. */
async function liesThere(original: Installation, folder: string): Promise<boolean> {
  const [there, here] = await Promise.all([stat(original.folder).catch(() => undefined), stat(folder)]);
  if (there === undefined || (there.dev === here.dev && there.ino === here.ino)) return false;
  const other = await readInstallation(original.folder).catch(() => undefined);
  return other?.id === original.id;
}

async function requireGone(original: InstallationPlace, here: Here, how: string): Promise<void> {
  const where = `${original.folder} on ${original.host}`;
  // A copy in its original's place may find a server there that is its own.
  const isElsewhere = original.folder !== here.folder;
  if (isElsewhere && original.host === here.host && (await here.runsOn(original.folder))) {
    throw new CcxError(`${here.folder} is a copy of ${where}, which runs: both would tell everybody everything`, {
      ...{ code: 'INSTALLATION_ORIGINAL_RUNS', category: 'configuration' },
      hint: 'stop the original for good first',
    });
  }
  if (here.originalIsGone) return;
  throw new CcxError(
    `${here.folder} is a copy of ${where} (${how}): beside its original it would tell everybody everything twice`,
    {
      ...{ code: 'INSTALLATION_COPY', category: 'configuration' },
      hint: 'make sure that the original is stopped and will not start again, then start once with --original-is-gone',
    },
  );
}
