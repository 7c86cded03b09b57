/** `ccx db init|migrate|status`: the tables of both schemas, made, moved and looked at. What they do is in `schema-parts.ts`. */
import { type Command, InvalidArgumentError } from 'commander';
import { CcxError, configInvalid } from '../../encoding/ccx-error.ts';
import type { Clock } from '../../platform/clock/clock.ts';
import type { Database } from '../../platform/database/database.ts';
import { addDatabaseLocation } from '../../platform/database/database-location.ts';
import { addAuditOptions, type ByWhom, byWhomOf } from '../../platform/records/audit.ts';
import { type DatabaseTool, examples, print, printJson, tell } from './database-tool.ts';
import { bringUp, listParts, moveShared, type PartState, readPart, SHARED_PART } from './schema-parts.ts';

/** Exit code of `status`; 1 is for failures. */
const exitSomethingToDo = 2;
/** A step that takes longer says so, again and again. */
const stillRunningEveryMs = 10_000;

interface BringUpFlags {
  readonly only?: readonly string[];
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

export function registerInit(group: Command, tool: DatabaseTool): void {
  addDatabaseLocation(group.command('init'))
    .description('makes all tables, the shared ones and our own, as a user who may; brings up what is there already')
    .option('--dry-run', 'say what would be done, and do nothing')
    .option('--json', 'one JSON object')
    .addHelpText('after', examples('ccx db init --database postgres://admin@db/notification', 'ccx db init --dry-run'))
    .action((flags: BringUpFlags, command: Command) =>
      tool.withDatabase(command, (database) => bringPartsUp(database, { ...flags, create: true, clock: tool.clock })),
    );
}

export function registerMigrate(group: Command, tool: DatabaseTool): void {
  addAuditOptions(onlyOption(addDatabaseLocation(group.command('migrate'))))
    .description('brings the tables that are there to the versions of this release, step by step')
    .option('--to <version>', 'the shared tables to this version (0 to 8, or latest), and nothing else', versionOf)
    .option('--down', 'with --to: also down; what the steps that are taken back hold is lost. In ccx audit list')
    .option('--dry-run', 'say what would be done, and do nothing')
    .option('--json', 'one JSON object')
    .addHelpText(
      'after',
      examples('ccx db migrate --dry-run', 'ccx db migrate', 'ccx db migrate --to 7 --down --dry-run'),
    )
    .action((flags: BringUpFlags & { readonly to?: string; readonly down?: boolean }, command: Command) => {
      const { to, only, down = false } = flags;
      if (to === undefined && down) throw configInvalid('--down says nothing of how far', 'add --to VERSION');
      if (to !== undefined && only !== undefined && `${only}` !== SHARED_PART)
        throw configInvalid('only the shared tables can be brought to a version of choice', 'leave out --only or --to');
      return tool.withDatabase(command, (database) =>
        to === undefined
          ? bringPartsUp(database, { ...flags, create: false, clock: tool.clock })
          : moveSharedTo(database, { ...flags, to, down, byWhom: byWhomOf(command), clock: tool.clock }),
      );
    });
}

export function registerStatus(group: Command, tool: DatabaseTool): void {
  onlyOption(addDatabaseLocation(group.command('status')))
    .description(`what version each part has and needs; ends with ${exitSomethingToDo} if something must be done`)
    .option('--json', 'one JSON object')
    .addHelpText('after', examples('ccx db status', 'ccx db status --only shared,writer,records --json'))
    .action((flags: { readonly only?: readonly string[]; readonly json?: boolean }, command: Command) =>
      tool.withDatabase(command, async (database) => {
        const parts: PartState[] = [];
        for (const part of await chosenParts(flags.only)) parts.push(await readPart(database, part));
        const ok = parts.every(({ state }) => state === 'current' || state === 'newer');
        if (flags.json === true) printJson({ ok, parts });
        else {
          for (const part of parts) print(stateLine(part));
          print(ok ? 'nothing to do' : adviceFor(parts));
        }
        if (!ok) process.exitCode = exitSomethingToDo;
      }),
    );
}

function onlyOption(command: Command): Command {
  return command.option(
    '--only <parts>',
    'only these, separated by commas: shared, or a set of schema ccx (default: all)',
    (text) => text.split(',').map((part) => part.trim()),
  );
}

async function chosenParts(only: readonly string[] | undefined): Promise<readonly string[]> {
  const all = await listParts();
  const unknown = only?.find((part) => !all.includes(part));
  if (unknown !== undefined) {
    throw new CcxError(`there is no part ${JSON.stringify(unknown)} of the database`, {
      ...{ code: 'DATABASE_PART', category: 'configuration' },
      hint: `--only takes ${all.join(', ')}`,
    });
  }
  return only === undefined ? all : all.filter((part) => only.includes(part));
}

function versionOf(text: string): string {
  if (/^(latest|\d{1,4})$/.test(text)) return text;
  throw new InvalidArgumentError('A version is a number, or latest.');
}

function nameOf(part: string): string {
  return part === SHARED_PART ? 'notification schema' : `schema ccx, ${part}`;
}

function stateLine({ part, state, version, needed, missing, problem }: PartState): string {
  const lacks = missing.length === 0 ? '' : `: ${missing.join(', ')}`;
  const told = {
    current: `version ${version}`,
    behind: `version ${version} of ${needed}, missing${lacks}`,
    absent: `not there, missing${lacks}`,
    newer: `version ${version}, newer than ${needed} which this release knows`,
    unusable: `${problem?.message} [${problem?.code}]`,
  };
  return `${nameOf(part)}: ${told[state]}${problem?.hint === undefined ? '' : `\n  ${problem.hint}`}`;
}

function adviceFor(parts: readonly PartState[]): string {
  if (parts.some(({ state }) => state === 'unusable')) return 'something must be done by hand first';
  const absent = parts.some(({ part, state }) => part === SHARED_PART && state === 'absent');
  return `something must be done: ccx db ${absent ? 'init' : 'migrate'}`;
}

interface Running {
  readonly clock: Clock;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

async function bringPartsUp(
  database: Database,
  flags: BringUpFlags & Running & { readonly create: boolean },
): Promise<void> {
  const parts = await chosenParts(flags.only);
  if (flags.dryRun === true) {
    const states: PartState[] = [];
    for (const part of parts) states.push(await readPart(database, part));
    if (flags.json === true) printJson({ dryRun: true, parts: states });
    else for (const state of states) print(plannedLine(state));
    return;
  }
  const steps = watchSteps(flags.clock);
  const results = [];
  try {
    for (const part of parts) {
      const result = await bringUp(database, part, { create: flags.create, onStep: (name) => steps.began(part, name) });
      results.push(result);
      if (flags.json === true) continue;
      const { from, version, applied } = result;
      // Nothing was there: the shared tables began at 0.
      const origin = part === SHARED_PART && from !== version ? `, from ${from ?? 0}` : '';
      print(
        `${nameOf(part)}: version ${version}${origin}${applied.length === 0 ? '' : `, applied ${applied.join(', ')}`}`,
      );
    }
  } finally {
    steps.stop();
  }
  if (flags.json === true) printJson({ dryRun: false, parts: results });
  for (const { warning } of results) if (warning !== undefined) tell(warning);
}

function plannedLine(state: PartState): string {
  if (state.missing.length === 0) return `${stateLine(state)}, nothing to do`;
  return `${nameOf(state.part)}: version ${state.version ?? 'none'}, would apply ${state.missing.join(', ')}`;
}

async function moveSharedTo(
  database: Database,
  flags: Running & { readonly to: string; readonly down: boolean; readonly byWhom: ByWhom },
): Promise<void> {
  const { to, down, byWhom, dryRun = false } = flags;
  const steps = watchSteps(flags.clock);
  const names: string[] = [];
  const onStep = (name: string) => {
    names.push(name);
    if (!dryRun) steps.began(SHARED_PART, name);
  };
  try {
    const { from, version } = await moveShared(database, to, { down, dryRun, byWhom, onStep });
    if (flags.json === true) return printJson({ dryRun, from, version, steps: names });
    const did = version < from ? 'take back' : 'apply';
    const done = version < from ? 'took back' : 'applied';
    const told = names.length === 0 ? ', nothing to do' : `, ${dryRun ? `would ${did}` : done} ${names.join(', ')}`;
    print(
      `${nameOf(SHARED_PART)}: version ${dryRun ? from : version}${dryRun ? `, to ${version}` : `, from ${from}`}${told}`,
    );
  } finally {
    steps.stop();
  }
}

/** Says each step when it begins, and again while it takes long. */
function watchSteps(clock: Clock) {
  let running: { readonly name: string; readonly sinceMs: number } | undefined;
  const stop = clock.every(stillRunningEveryMs, () => {
    if (running === undefined) return;
    tell(`${running.name} has been running for ${Math.round((clock.monotonicMs() - running.sinceMs) / 1000)} s`);
  });
  return {
    began(part: string, step: string): void {
      running = { name: `${nameOf(part)}: ${step}`, sinceMs: clock.monotonicMs() };
      tell(running.name);
    },
    stop,
  };
}
