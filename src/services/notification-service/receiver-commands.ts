/**
 * `ccx receivers list|test|preview|resume`: who is told beside the platform's targets, whether a message gets there, what would go out now,
 * and starting one again that has said that it is gone.
 */
import type { Command } from 'commander';
import { TABLE_NOTIFICATION_TARGETS } from '../../contracts/tables.ts';
import { CcxError } from '../../encoding/ccx-error.ts';
import { createSystemClock } from '../../platform/clock/clock.ts';
import { type ConfigFile, readConfigFile } from '../../platform/config/config-file.ts';
import { type LoadedConfig, loadConfig } from '../../platform/config/load-config.ts';
import type { ProcessInput } from '../../platform/config/process-input.ts';
import type { Database } from '../../platform/database/database.ts';
import { addDatabaseLocation } from '../../platform/database/database-location.ts';
import { describeFailure } from '../../platform/lifecycle/run-role.ts';
import { addAuditOptions, byWhomOf } from '../../platform/records/audit.ts';
import { print, withDatabase } from './command-database.ts';
import type { Receiver } from './config.ts';
import { type NotificationServiceSettings, notificationServiceOptions, notificationServiceSettings } from './config.ts';
import { notifierExitCode } from './exit-codes.ts';
import { shown } from './format-explanation.ts';
import type { openNotificationDependencies } from './open-dependencies.ts';
import { listReceivers, type ReceiverState, resumeReceiver } from './store/receivers.ts';

/** The name of the notifier's section in the file of `ccx all-in-one`. */
const sectionOfAllInOne = notificationServiceOptions.name;

type Opening = Omit<Parameters<typeof openNotificationDependencies>[0], 'lifecycle' | 'composesOnly'>;

interface PreviewOptions {
  readonly settings: NotificationServiceSettings;
  readonly clusters: undefined;
  readonly json: boolean;
  readonly only: (receivers: readonly Receiver[]) => readonly Receiver[];
}

/** `print-preview.ts`, which is loaded only where something is to be shown. */
type PrintPreview = (opening: Opening, how: PreviewOptions) => Promise<void>;

export function registerReceivers(program: Command, input: ProcessInput, printPreview: PrintPreview): void {
  const group = program
    .command('receivers')
    .description('who is told beside the targets of the platform: how they are, a test message, what would go out');
  registerList(group, input);
  registerTest(group, input);
  registerPreview(group, input, printPreview);
  registerResume(group, input);
}

function withConfig(command: Command): Command {
  return command.option(
    '--config <file>',
    `settings of the notifier, or of ccx all-in-one (also ${notificationServiceOptions.envPrefix}_CONFIG_FILE)`,
  );
}

type Loaded = LoadedConfig<typeof notificationServiceOptions>;

function loadReceivers(command: Command, { env }: ProcessInput): Loaded {
  const { config } = command.opts<{ config?: string }>();
  const path = config ?? (env[`${notificationServiceOptions.envPrefix}_CONFIG_FILE`] || undefined);
  const file = path === undefined ? undefined : readConfigFile(path);
  if (file === undefined) return loadConfig(notificationServiceOptions, { env });
  const section = isOfAllInOne(file) ? { section: sectionOfAllInOne } : {};
  return loadConfig(notificationServiceOptions, { env, file, ...section });
}

function isOfAllInOne({ values }: ConfigFile): boolean {
  return values.has(`${sectionOfAllInOne}.receivers`);
}

async function openConfigured(loaded: Loaded, input: ProcessInput) {
  const { openRoleBase } = await import('../../platform/lifecycle/open-role.ts');
  const { Lifecycle } = await import('../../platform/lifecycle/lifecycle.ts');
  const { dependencySettings, openReceivers } = await import('./open-dependencies.ts');
  const base = openRoleBase({ name: 'receivers', level: 'warn', loaded, logsToStandardError: true });
  const lifecycle = new Lifecycle(base.clock);
  const settings = dependencySettings({ loaded, env: input.env });
  const receivers = await openReceivers({ ...base, loaded, lifecycle }, settings);
  return { ...base, receivers, lifecycle };
}

function registerList(group: Command, input: ProcessInput): void {
  const list = withConfig(
    group.command('list').description('each with what waits for it, what was given up, and whether it is paused'),
  ).option('--json', 'one JSON object per line');
  addDatabaseLocation(list).action((flags: { json?: boolean }) =>
    withDatabase(list, input, async (database) => {
      const { receivers, lifecycle } = await openConfigured(loadReceivers(list, input), input);
      try {
        const now = createSystemClock().now().toISOString();
        const rows = describeAll(receivers, await listReceivers(database, now));
        for (const row of rows) print(flags.json === true ? JSON.stringify(row) : formatRow(row));
        if (rows.length === 0 && flags.json !== true) print('none');
      } finally {
        await lifecycle.stop();
      }
    }),
  );
}

interface ListedReceiver extends Omit<ReceiverState, 'id'> {
  /** Null: it has not been told anything yet. */
  readonly id: number | null;
  /** Null: the configuration at hand does not name it. */
  readonly type: string | null;
  readonly address: string | null;
}

const untold = {
  waiting: 0,
  waiting_since: null,
  dead: 0,
  last_notified_at: null,
  paused_until: null,
  pause_text: null,
};

function describeAll(receivers: readonly Receiver[], states: readonly ReceiverState[]): ListedReceiver[] {
  const configured = receivers.map(({ target: { name, type, address } }): ListedReceiver => {
    const state = states.find((one) => one.name === name) ?? { id: null, name, held: false, ...untold };
    return { ...state, type, address };
  });
  const others = states.filter(({ name }) => !configured.some((one) => one.name === name));
  return [...configured, ...others.map((state) => ({ ...state, type: null, address: null }))];
}

function formatRow(row: ListedReceiver): string {
  const what = row.type === null ? 'not in this configuration' : `${row.type}, ${row.address}`;
  const told = row.last_notified_at === null ? 'nothing told yet' : `last told ${shown(row.last_notified_at)}`;
  const waiting = row.waiting === 0 ? 'nothing waits' : `${row.waiting} wait, since ${shown(row.waiting_since)}`;
  const until = row.held ? `ccx receivers resume ${row.name}` : shown(row.paused_until);
  return [
    `${row.name}  ${what}`,
    `  ${[told, waiting, ...(row.dead === 0 ? [] : [`${row.dead} given up`])].join('; ')}`,
    ...(row.paused_until === null ? [] : [`  paused until ${until}: ${row.pause_text}`]),
  ].join('\n');
}

/** Of a receiver by its name, or of all its recipients; a recipient has a name of its own, too. */
function requireReceivers(receivers: readonly Receiver[], name: string): readonly Receiver[] {
  const found = receivers.filter(({ target }) => target.name === name || target.partOf === name);
  if (found.length > 0) return found;
  const names = receivers.map(({ target }) => target.name).join(', ');
  throw receiverUnknown(
    name,
    names === '' ? 'give --config with the [[receivers]] of the notifier' : `there are ${names}`,
  );
}

function receiverUnknown(name: string, hint: string): CcxError {
  return new CcxError(`there is no receiver ${name}`, { code: 'RECEIVER_UNKNOWN', category: 'input', hint });
}

function registerTest(group: Command, input: ProcessInput): void {
  const test = withConfig(
    group.command('test <name>').description('sends it a message that says that it is a test; nothing else changes'),
  );
  test.addHelpText('after', '\nExit codes:\n  0  it took the message\n  1  it did not, or wrong use\n');
  test.action(async (name: string) => {
    const { receivers, lifecycle, clock } = await openConfigured(loadReceivers(test, input), input);
    try {
      for (const { target } of requireReceivers(receivers, name)) {
        const notification = await target.composeTest({ now: clock.now(), uuid: () => clock.uuid() });
        const { signal } = new AbortController();
        const result = await target.deliver({ notification, mayHaveArrived: false, composedHere: true, signal });
        if (result.kind === 'delivered') {
          print(`${target.address} took message ${notification.id}: ${result.detail}`);
          continue;
        }
        process.stderr.write(`${describeFailure(result.error)}\n`);
        process.exitCode = 1;
      }
    } finally {
      await lifecycle.stop();
    }
  });
}

function registerPreview(group: Command, input: ProcessInput, printPreview: PrintPreview): void {
  const preview = withConfig(
    group.command('preview <name>').description('what would go out to it now, byte for byte, and why or why not'),
  ).option('--json', 'one JSON object per line, the summary last');
  addDatabaseLocation(preview).action((name: string, flags: { json?: boolean }) =>
    withDatabase(preview, input, async (database) => {
      const { openRoleBase } = await import('../../platform/lifecycle/open-role.ts');
      const loaded = loadReceivers(preview, input);
      const base = openRoleBase({ name: 'receivers', level: 'warn', loaded, logsToStandardError: true });
      try {
        await printPreview(
          { ...base, loaded, env: input.env, database },
          {
            settings: notificationServiceSettings(loaded.config, 'follow'),
            clusters: undefined,
            json: flags.json === true,
            only: (receivers) => requireReceivers(receivers, name),
          },
        );
      } catch (error) {
        process.stderr.write(`${describeFailure(error)}\n`);
        process.exitCode = notifierExitCode(error);
      }
    }),
  );
}

function registerResume(group: Command, input: ProcessInput): void {
  const resume = group
    .command('resume <name>')
    .description('ends its pause, also one that only a person ends; what waits goes out in the next run');
  addAuditOptions(addDatabaseLocation(resume)).action((name: string) =>
    withDatabase(resume, input, async (database) => {
      await prepareAudit(database);
      const now = createSystemClock().now().toISOString();
      const all = (await listReceivers(database, now)).map((one) => one.name);
      const names = all.filter((one) => one === name || one.startsWith(`${name}/`));
      if (names.length === 0) throw receiverUnknown(name, 'ccx receivers list shows those that there are');
      for (const one of names) {
        const before = await resumeReceiver(database, one, { by: byWhomOf(resume), now });
        print(before?.paused_until == null ? `${one} was not paused` : `${one} goes on`);
      }
    }),
  );
}

/** Not where nothing of ours is. */
async function prepareAudit(database: Database): Promise<void> {
  await database.query(`SELECT FROM ${TABLE_NOTIFICATION_TARGETS} LIMIT 0`);
  const { migrateCcx } = await import('../../platform/database/ccx-migrations.ts');
  await migrateCcx(database, 'records');
}
