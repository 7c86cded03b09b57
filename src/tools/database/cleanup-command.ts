/** `ccx db cleanup`: the flags, what a person is told meanwhile, and how it ends. What it deletes is in `cleanup.ts`. */
import { type Command, InvalidArgumentError } from 'commander';
import type { Clock } from '../../platform/clock/clock.ts';
import type { Database } from '../../platform/database/database.ts';
import { addDatabaseLocation } from '../../platform/database/database-location.ts';
import { waitForSignal } from '../../platform/lifecycle/run-role.ts';
import { addAuditOptions, byWhomOf } from '../../platform/records/audit.ts';
import { type CleanedRows, cleanedTables, planCleanup, runCleanup } from './cleanup.ts';
import { type DatabaseTool, examples, print, printJson, tell } from './database-tool.ts';

/** Between two lines about a table. */
const progressEveryMs = 2_000;
const exitCodes = { SIGINT: 130, SIGTERM: 143 } as const;

interface CleanupFlags {
  readonly olderThan: string;
  readonly table?: readonly string[];
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

export function registerCleanup(group: Command, tool: DatabaseTool): void {
  addAuditOptions(addDatabaseLocation(group.command('cleanup')))
    .description(
      'deletes old rows in slices, beside running services; never what a cooldown counts by or what still waits',
    )
    .requiredOption('--older-than <age>', 'with its unit: 90d, "6 weeks", "3 months"')
    .option('--table <names>', `only these, separated by commas: ${cleanedTables.join(', ')}`, tablesOf)
    .option('--dry-run', 'count the rows, and delete none')
    .option('--json', 'one JSON object at the end')
    .addHelpText(
      'after',
      `${examples('ccx db cleanup --older-than 90d --dry-run', 'ccx db cleanup --older-than 90d', 'ccx db cleanup --older-than "1 year" --table reported,trace --reason "ticket 7"')}

Ctrl-C ends it behind the slice under way; the same command goes on from there.`,
    )
    .action((flags: CleanupFlags, command: Command) =>
      tool.withDatabase(command, async (database) => {
        process.exitCode = await cleanUp(database, { ...flags, byWhom: byWhomOf(command), clock: tool.clock });
      }),
    );
}

function tablesOf(text: string, before: readonly string[] = []): readonly string[] {
  const names = text.split(',').map((name) => name.trim());
  const unknown = names.find((name) => !(cleanedTables as readonly string[]).includes(name));
  if (unknown !== undefined) throw new InvalidArgumentError(`There is no table ${unknown} that is cleaned.`);
  return [...before, ...names];
}

/** Resolves to the exit code. */
async function cleanUp(
  database: Database,
  flags: CleanupFlags & { readonly byWhom: ReturnType<typeof byWhomOf>; readonly clock: Clock },
): Promise<number> {
  const { olderThan, clock, byWhom, dryRun = false, json = false } = flags;
  const stop = new AbortController();
  const signalled = waitForSignal().then((signal) => {
    stop.abort();
    return signal;
  });
  const startedMs = clock.monotonicMs();
  const plan = await planCleanup(database, { olderThan, tables: flags.table ?? [], dryRun });
  if (plan.warning !== undefined) tell(plan.warning);
  if (!json) print(`rows older than ${olderThan}, of before ${plan.before} (UTC)${dryRun ? '; none is deleted' : ''}`);
  const done = await runCleanup(plan, {
    ...{ database, clock, byWhom, dryRun, signal: stop.signal },
    onProgress: paced(clock, (rows) => tell(progressLine(rows))),
    onTable: (rows) => json || print(tableLine(rows, dryRun)),
  });
  const seconds = (clock.monotonicMs() - startedMs) / 1000;
  const interrupted = stop.signal.aborted;
  const { before, absent } = plan;
  if (json) printJson({ olderThan, before, dryRun, interrupted, seconds, tables: done, absent });
  else print(summaryLine(done, { dryRun, seconds, absent }));
  if (!interrupted) return 0;
  tell('interrupted; the same command goes on from here');
  return exitCodes[await signalled];
}

function paced(clock: Clock, say: (rows: CleanedRows) => void): (rows: CleanedRows) => void {
  let saidMs = clock.monotonicMs();
  return (rows) => {
    if (clock.monotonicMs() - saidMs < progressEveryMs) return;
    saidMs = clock.monotonicMs();
    say(rows);
  };
}

function progressLine({ table, found, deleted }: CleanedRows): string {
  const share = found === 0 ? 100 : Math.min(100, Math.floor((deleted * 100) / found));
  return `${table}: ${deleted} of ${found} rows deleted, ${share} %`;
}

function tableLine({ table, found, deleted }: CleanedRows, dryRun: boolean): string {
  return dryRun ? `${table}: ${found} rows` : `${table}: ${deleted} of ${found} rows deleted`;
}

function summaryLine(
  done: readonly CleanedRows[],
  how: { readonly dryRun: boolean; readonly seconds: number; readonly absent: readonly string[] },
): string {
  const { dryRun, seconds, absent } = how;
  const sum = done.reduce((rows, { found, deleted }) => rows + (dryRun ? found : deleted), 0);
  const passedOver = absent.length === 0 ? '' : `; not in this database: ${absent.join(', ')}`;
  return `${sum} rows of ${done.length} tables ${dryRun ? 'would be deleted' : `deleted in ${seconds.toFixed(1)} s`}${passedOver}`;
}
