/** `ccx notifier` and `ccx explain <cluster>`; with `ccx notifications` and `ccx receivers`, which have files of their own. */
import type { Command } from 'commander';
import { CcxError } from '../../encoding/ccx-error.ts';
import { createSystemClock } from '../../platform/clock/clock.ts';
import { addTableOptions, loadCommandConfig } from '../../platform/config/command-flags.ts';
import type { LoadedConfig } from '../../platform/config/load-config.ts';
import type { ProcessInput } from '../../platform/config/process-input.ts';
import type { Database } from '../../platform/database/database.ts';
import { addDatabaseLocation, locateDatabase } from '../../platform/database/database-location.ts';
import { Lifecycle } from '../../platform/lifecycle/lifecycle.ts';
import { describeFailure } from '../../platform/lifecycle/run-role.ts';
import { referenceLogLevel } from '../../platform/reference/reference-log.ts';
import { print, withDatabase } from './command-database.ts';
import { notificationServiceOptions, notificationServiceSettings } from './config.ts';
import { notifierExitCode } from './exit-codes.ts';
import { explanationAsJson, formatExplanation } from './format-explanation.ts';
import { registerNotifications } from './notification-commands.ts';
import type { openNotificationDependencies } from './open-dependencies.ts';
import { registerReceivers } from './receiver-commands.ts';
import type { NotificationService } from './service.ts';
import { readExplanation } from './store/explain.ts';

/** Events of a cluster that `ccx explain` shows, and that it shows with --history. */
const historyShown = 20;
const historyMost = 1_000_000;

export function register(program: Command, input: ProcessInput): void {
  registerRole(program, input);
  registerExplain(program, input);
  registerNotifications(program, input);
  registerReceivers(program, input, async (opening, how) => {
    const { printPreview } = await import('./print-preview.ts');
    await printPreview(opening, how);
  });
}

/** What `ccx dead-letters` shows of this service, loaded only where it runs. Undefined where it never worked on the database. */
export async function openDeadNotifications(database: Database) {
  const deadNotifications = await import('./dead-notifications.ts');
  return await deadNotifications.openDeadNotifications(database);
}

function registerRole(program: Command, input: ProcessInput): void {
  const command = program
    .command('notifier')
    .description('role: decides what is new and notifies the owners')
    .option('--once', 'one run over all clusters, for a cron job, instead of following new reports')
    .option('--dry-run', 'print what would be sent, byte for byte, and why or why not; nothing is sent or written')
    .option('--cluster <id>', 'with --dry-run: only this cluster; may be repeated', collect)
    .option('--data <dir>', 'with --dry-run: database of the all-in-one installation that runs on this data folder')
    .option('--json', 'with --dry-run: one JSON object per line, the summary last');
  addTableOptions(command, notificationServiceOptions).action(async (flags: NotifierFlags) => {
    const loaded = loadCommandConfig(command, notificationServiceOptions, input);
    if (flags.dryRun === true) {
      process.exitCode = await runDry(command, loaded, input);
      return;
    }
    if (flags.cluster !== undefined || flags.data !== undefined || flags.json === true) {
      throw new CcxError('--cluster, --data and --json are for a dry run', {
        code: 'DRY_RUN_ONLY',
        category: 'input',
        hint: 'give --dry-run, too',
      });
    }
    const { openRole, openRoleBase } = await import('../../platform/lifecycle/open-role.ts');
    const { config } = loaded;
    const options = {
      name: 'notifier',
      level: referenceLogLevel(config['logging.log_level']),
      loaded,
      exitCodeOf: notifierExitCode,
    };
    if (flags.once === true) {
      process.exitCode = await runOneShot({ ...openRoleBase(options), loaded, env: input.env });
    } else {
      await openRole(options, async (role) => {
        const { service, database } = await startNotifier({ ...role, loaded, env: input.env }, 'follow');
        role.runs(service, database);
        await role.serveOperations(config, service);
      });
    }
  });
}

interface NotifierFlags {
  readonly once?: boolean;
  readonly dryRun?: boolean;
  readonly cluster?: readonly string[];
  readonly data?: string;
  readonly json?: boolean;
}

function collect(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}

/** Without `--once` as the service that follows would decide. Its log says only what is wrong, and not on standard output. */
async function runDry(
  command: Command,
  loaded: LoadedConfig<typeof notificationServiceOptions>,
  input: ProcessInput,
): Promise<number> {
  const { openRoleBase } = await import('../../platform/lifecycle/open-role.ts');
  const { connectDatabase } = await import('../../platform/database/connect-database.ts');
  const { openStorage } = await import('./open-database.ts');
  const { printPreview } = await import('./print-preview.ts');
  const { config } = loaded;
  const base = openRoleBase({ name: 'notifier', level: 'warn', loaded, logsToStandardError: true });
  const { cluster: clusters, data, json = false, once = false } = command.opts<NotifierFlags>();
  let database: Database | undefined;
  try {
    const opening = { ...base, loaded, env: input.env, applicationName: 'ccx-notifier' };
    database =
      data === undefined
        ? await openStorage(opening)
        : connectDatabase({ ...opening, url: await locateDatabase(command, input) });
    const settings = notificationServiceSettings(config, once ? 'once' : 'follow');
    await printPreview({ ...base, loaded, env: input.env, database }, { settings, clusters, json });
    return 0;
  } catch (error) {
    process.stderr.write(`${describeFailure(error)}\n`);
    return notifierExitCode(error);
  } finally {
    await database?.close();
  }
}

type Notifier = Pick<
  Parameters<typeof openNotificationDependencies>[0],
  'loaded' | 'env' | 'clock' | 'telemetry' | 'lifecycle'
>;

/** The caller stops the service. */
async function startNotifier(
  notifier: Notifier,
  mode: 'once' | 'follow',
): Promise<{ readonly service: NotificationService; readonly database: Database }> {
  const { loaded, env, clock, telemetry, lifecycle } = notifier;
  const { config } = loaded;
  const { openStorage } = await import('./open-database.ts');
  const { openNotificationDependencies } = await import('./open-dependencies.ts');
  const { startNotificationService } = await import('./service.ts');
  const database = await openStorage({ loaded, env, clock, telemetry, applicationName: 'ccx-notifier' });
  lifecycle.defer('database', () => database.close());
  const dependencies = await openNotificationDependencies({ loaded, env, clock, telemetry, lifecycle, database });
  const settings = notificationServiceSettings(config, mode);
  const service = await startNotificationService(settings, { database, telemetry, clock, ...dependencies });
  return { service, database };
}

/** One run; undelivered messages stay pending for the next one. Where a target got nothing of what was due, that is the exit code. */
async function runOneShot(role: Omit<Notifier, 'lifecycle'>): Promise<number> {
  const lifecycle = new Lifecycle(role.clock);
  let exitCode = 0;
  try {
    const { service } = await startNotifier({ ...role, lifecycle }, 'once');
    lifecycle.defer(service.name, () => service.stop());
    const summary = await service.runOnce();
    print(JSON.stringify(summary));
    if (summary.nothingDeliveredTo.length > 0) throw nothingDelivered(summary.nothingDeliveredTo);
  } catch (error) {
    process.stderr.write(`${describeFailure(error)}\n`);
    exitCode = notifierExitCode(error);
  }
  const { failed } = await lifecycle.stop();
  for (const { name, error } of failed) role.telemetry.log.error({ step: name, error }, 'did not stop cleanly');
  return exitCode;
}

function nothingDelivered(targets: readonly string[]): CcxError {
  return new CcxError(`there was something to deliver, and nothing was delivered to ${targets.join(' and ')}`, {
    code: 'NOTHING_DELIVERED',
    category: 'delivery',
    hint: 'the log says why; ccx notifications list shows what waits and what was given up',
  });
}

function registerExplain(program: Command, input: ProcessInput): void {
  const command = program
    .command('explain <cluster>')
    .description('what was decided about each issue of a cluster, why, when it was last sent and could next be')
    .option('--history', `all of what happened to its issues, not only the last ${historyShown} events`)
    .option('--json', 'as one JSON object');
  addDatabaseLocation(command).action((cluster: string, flags: { history?: boolean; json?: boolean }) =>
    withDatabase(command, input, async (database) => {
      const now = createSystemClock().now().toISOString();
      const historyMax = flags.history === true ? historyMost : historyShown;
      const explanation = await readExplanation(database, cluster, { now, historyMax });
      if (explanation.targets.length === 0) {
        throw new CcxError(`nothing was decided about cluster ${cluster}`, {
          code: 'CLUSTER_UNKNOWN',
          category: 'input',
          hint: 'check the id; an archive of it that was taken shows its way with ccx trace <request-id>',
        });
      }
      print(flags.json === true ? explanationAsJson(cluster, explanation) : formatExplanation(cluster, explanation));
    }),
  );
}
