/** `ccx backup` and `ccx restore`: the flags, what a person is told meanwhile, and how it ends. */
import type { Command } from 'commander';
import { CcxError } from '../../encoding/ccx-error.ts';
import { type Clock, createSystemClock } from '../../platform/clock/clock.ts';
import { defaultDataFolder } from '../../platform/database/database-location.ts';
import { Lifecycle } from '../../platform/lifecycle/lifecycle.ts';
import { describeFailure, waitForSignal } from '../../platform/lifecycle/run-role.ts';
import { addAuditOptions, byWhomOf } from '../../platform/records/audit.ts';
import { examples, print, printJson, tell } from '../../tools/database/database-tool.ts';
import { type BackupContents, type BackupProgress, inMegabytes } from './backup-folder.ts';
import type { Restored } from './restore-backup.ts';

/** Between two lines about one step. */
const progressEveryMs = 2_000;
/** The command line, the folders or the backup are not what they should be: nothing was written. */
const exitRefused = 2;
const exitCodes = { SIGINT: 130, SIGTERM: 143 } as const;

const exitCodesHelp = `
Exit codes: 0 done, and checked; 1 failed, and nothing is left of it; 2 refused, before anything was written, with a
code in brackets and what to change; 130 or 143 interrupted, and nothing is left of it.`;

interface BackupFlags {
  readonly data?: string;
  readonly allArchives?: boolean;
  readonly json?: boolean;
}

interface RestoreFlags {
  readonly data?: string;
  readonly database?: string;
  readonly check?: boolean;
  readonly originalIsGone?: boolean;
  readonly json?: boolean;
}

export function register(program: Command): void {
  const clock = createSystemClock();
  program
    .command('backup')
    .argument('<folder>', 'new or empty; it is closed to others, since keys lie in it')
    .description(
      'copies an all-in-one into a folder, beside it while it runs: all tables as of one moment, and its files',
    )
    .option('--data <dir>', `data folder of the installation (default ${defaultDataFolder()})`)
    .option('--all-archives', 'also archives that have become reports; without it those that somebody still waits for')
    .option('--json', 'one JSON object at the end')
    .addHelpText(
      'after',
      `${examples('ccx backup /backups/$(date +%F) --data /var/lib/ccx-notifications/data', 'ccx restore /backups/2026-11-26 --check')}

As the user that the installation runs as. What was committed before it began is in it; what is told afterwards is told
again by a copy, so stop the installation first where it moves. How to keep and restore it: docs/operations.md
${exitCodesHelp}`,
    )
    .action((folder: string, flags: BackupFlags) =>
      work(clock, async (context) => {
        const { data = defaultDataFolder(), allArchives = false } = flags;
        const { takeBackup } = await import('./take-backup.ts');
        const taken = await takeBackup({ ...context, target: folder, data, allArchives });
        const { contents, bytes, archives } = taken;
        const rows = contents.tables.reduce((sum, table) => sum + table.rows, 0);
        const result = { folder: taken.folder, takenAt: contents.taken_at, tables: contents.tables.length, rows };
        if (flags.json === true) return printJson({ ...result, archives, bytes });
        print(`${taken.folder}: as of ${contents.taken_at}, checked`);
        print(`${result.tables} tables with ${rows} rows, ${archives} archives, ${inMegabytes(bytes)} in all`);
        print(`Restore it with: ccx restore ${taken.folder} --data DIR`);
      }),
    );
  const restore = program
    .command('restore')
    .argument('<backup>', 'folder that ccx backup has written')
    .description('makes an all-in-one again from a backup, or its tables in a PostgreSQL of your own')
    .option('--data <dir>', 'data folder to make: new or empty')
    .option('--database <url>', 'an empty database for the tables, in place of a data folder')
    .option('--check', 'read and check all of the backup, and write nothing')
    .option('--original-is-gone', 'the original does not run and will not start again: the copy may start')
    .option('--json', 'one JSON object at the end')
    .addHelpText(
      'after',
      `${examples('ccx restore /backups/2026-11-26 --data /srv/ccx', 'ccx restore /backups/2026-11-26 --data /srv/ccx --original-is-gone', 'ccx restore /backups/2026-11-26 --database postgres://admin@db/notification --original-is-gone')}

As the user that the installation will run as. A copy does not start before somebody has said, here or at its first
start, that its original is gone: two of them would tell everybody everything twice. A database into which a restore
failed keeps tables without rows: make it anew. More: docs/operations.md
${exitCodesHelp}`,
    );
  addAuditOptions(restore).action((backup: string, flags: RestoreFlags, command: Command) =>
    work(clock, async (context) => {
      const { data, database, check = false, originalIsGone = false } = flags;
      if ([data !== undefined, database !== undefined, check].filter(Boolean).length !== 1)
        throw new CcxError('where to?', {
          ...{ code: 'RESTORE_TARGET', category: 'configuration' },
          hint: 'give one of --data DIR, --database URL and --check',
        });
      const options = { ...context, backup, originalIsGone, byWhom: byWhomOf(command) };
      const { checkBackup, restoreDatabase, restoreFolder } = await import('./restore-backup.ts');
      if (check) return report(await checkBackup(options), flags, 'can be restored');
      const restored =
        data === undefined
          ? await restoreDatabase({ ...options, database: database! })
          : await restoreFolder({ ...options, data });
      for (const table of restored.left) tell(`${table} is none of our tables and was left out`);
      report(restored.contents, flags, 'restored');
      if (flags.json !== true) for (const line of adviceFor(restored, flags)) print(line);
    }),
  );
}

function report({ taken_at, original, version, tables, files }: BackupContents, flags: RestoreFlags, what: string) {
  const rows = tables.reduce((sum, table) => sum + table.rows, 0);
  if (flags.json === true)
    return printJson({ takenAt: taken_at, original, version, tables: tables.length, rows, files: files.length });
  print(`${what}: ${original.folder} on ${original.host} as of ${taken_at}, ${tables.length} tables with ${rows} rows`);
}

/** What to do next. */
function adviceFor({ contents }: Restored, { data, originalIsGone }: RestoreFlags): readonly string[] {
  const told = `What the original told after ${contents.taken_at} is told again.`;
  if (data === undefined)
    return [told, 'Next: ccx db grants and the roles, see docs/operations.md; archives stay in the backup.'];
  const flag = originalIsGone === true ? '' : ' --original-is-gone';
  const once = originalIsGone === true ? '' : ' (the flag only once)';
  return [told, `Next, when the original is stopped for good: ccx all-in-one --data ${data}${flag}${once}`];
}

interface WorkContext {
  readonly clock: Clock;
  readonly lifecycle: Lifecycle;
  readonly signal: AbortSignal;
  readonly progress: BackupProgress;
}

/** Runs it to its end or to a signal, cleans up, and sets the exit code. */
async function work(clock: Clock, run: (context: WorkContext) => Promise<void>): Promise<void> {
  const stop = new AbortController();
  let signalled: 'SIGINT' | 'SIGTERM' | undefined;
  void waitForSignal().then((signal) => {
    signalled = signal;
    stop.abort();
  });
  const lifecycle = new Lifecycle(clock);
  try {
    await run({ clock, lifecycle, signal: stop.signal, progress: pacedProgress(clock) });
  } catch (error) {
    const refused = error instanceof CcxError && (error.category === 'configuration' || error.category === 'input');
    process.exitCode = signalled !== undefined ? exitCodes[signalled] : refused ? exitRefused : 1;
    if (signalled === undefined) process.stderr.write(`${describeFailure(error)}\n`);
    else tell('interrupted; nothing of it can be used');
  }
  const { failed } = await lifecycle.stop();
  for (const { name, error } of failed) tell(`${name} did not stop cleanly: ${error}`);
}

function pacedProgress(clock: Clock): BackupProgress {
  let saidMs = clock.monotonicMs();
  const say = (text: string) => {
    saidMs = clock.monotonicMs();
    tell(text);
  };
  return {
    step: say,
    part: (text) => {
      if (clock.monotonicMs() - saidMs >= progressEveryMs) say(text);
    },
  };
}
