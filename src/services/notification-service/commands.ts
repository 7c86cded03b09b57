/** `ccx notifier`, `ccx explain <cluster>` and `ccx notifications list|retry`. */
import type { Command } from 'commander';
import { TABLE_NOTIFICATION_OUTBOX } from '../../contracts/tables.ts';
import { CcxError } from '../../encoding/ccx-error.ts';
import { createSystemClock } from '../../platform/clock/clock.ts';
import { addTableOptions, loadCommandConfig } from '../../platform/config/command-flags.ts';
import type { ProcessInput } from '../../platform/config/process-input.ts';
import type { Database } from '../../platform/database/database.ts';
import { sqlState } from '../../platform/database/database-error.ts';
import { addDatabaseLocation, locateDatabase } from '../../platform/database/database-location.ts';
import { Lifecycle } from '../../platform/lifecycle/lifecycle.ts';
import { describeFailure } from '../../platform/lifecycle/run-role.ts';
import { addAuditOptions, byWhomOf } from '../../platform/records/audit.ts';
import { storageDatabase } from '../../platform/reference/broker-settings.ts';
import { referenceLogLevel } from '../../platform/reference/reference-log.ts';
import { notificationServiceOptions, notificationServiceSettings } from './config.ts';
import { notifierExitCode } from './exit-codes.ts';
import { formatExplanation, formatMessage, targetName } from './format-explanation.ts';
import type { openNotificationDependencies } from './open-dependencies.ts';
import type { NotificationService } from './service.ts';
import { LISTED_STATES, type ListedState, listMessages, readExplanation, requestRetry } from './store/explain.ts';

/** Messages that `ccx notifications list` shows at once. */
const listedMessagesMax = 1_000;

export function register(program: Command, input: ProcessInput): void {
  registerRole(program, input);
  registerExplain(program, input);
  registerNotifications(program, input);
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
    .option('--once', 'one run over all clusters, for a cron job, instead of following new reports');
  addTableOptions(command, notificationServiceOptions).action(async (flags: { once?: boolean }) => {
    const loaded = loadCommandConfig(command, notificationServiceOptions, input);
    const { openRole, openRoleBase } = await import('../../platform/lifecycle/open-role.ts');
    const { config, warnings } = loaded;
    const options = {
      name: 'notifier',
      level: referenceLogLevel(config['logging.log_level']),
      warnings,
      exitCodeOf: notifierExitCode,
    };
    if (flags.once === true) {
      process.exitCode = await runOneShot({ ...openRoleBase(options), loaded, env: input.env });
    } else {
      await openRole(options, async (role) => {
        const service = await startNotifier({ ...role, loaded, env: input.env }, 'follow');
        await role.serveOperations(config, service);
      });
    }
  });
}

type Notifier = Pick<
  Parameters<typeof openNotificationDependencies>[0],
  'loaded' | 'env' | 'clock' | 'telemetry' | 'lifecycle'
>;

async function startNotifier(notifier: Notifier, mode: 'once' | 'follow'): Promise<NotificationService> {
  const { loaded, env, clock, telemetry, lifecycle } = notifier;
  const { config } = loaded;
  const { connectDatabase } = await import('../../platform/database/connect-database.ts');
  const { openNotificationDependencies } = await import('./open-dependencies.ts');
  const { startNotificationService } = await import('./service.ts');
  const database = connectDatabase({ ...storageDatabase(config), applicationName: 'ccx-notifier', clock });
  lifecycle.defer('database', () => database.close());
  const dependencies = await openNotificationDependencies({ loaded, env, clock, telemetry, lifecycle, database });
  const settings = notificationServiceSettings(config, mode);
  const service = await startNotificationService(settings, { database, telemetry, clock, ...dependencies });
  lifecycle.defer(service.name, () => service.stop());
  return service;
}

/** One run; undelivered messages stay pending for the next one. Where a target got nothing of what was due, that is the exit code. */
async function runOneShot(role: Omit<Notifier, 'lifecycle'>): Promise<number> {
  const lifecycle = new Lifecycle(role.clock);
  let exitCode = 0;
  try {
    const service = await startNotifier({ ...role, lifecycle }, 'once');
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
    .option('--json', 'as one JSON object');
  addDatabaseLocation(command).action((cluster: string, flags: { json?: boolean }) =>
    withDatabase(command, input, async (database) => {
      const now = createSystemClock().now().toISOString();
      const explanation = await readExplanation(database, cluster, now);
      if (explanation.targets.length === 0) {
        throw new CcxError(`nothing was decided about cluster ${cluster}`, {
          code: 'CLUSTER_UNKNOWN',
          category: 'input',
          hint: 'check the id; an archive of it that was taken shows its way with ccx trace <request-id>',
        });
      }
      print(
        flags.json === true ? JSON.stringify({ cluster, ...explanation }) : formatExplanation(cluster, explanation),
      );
    }),
  );
}

function registerNotifications(program: Command, input: ProcessInput): void {
  const group = program.command('notifications').description('notifications by state, and dead ones tried again');
  const list = group
    .command('list')
    .description('newest first; without --state those that are not delivered')
    .option('--state <state>', `one of ${LISTED_STATES.join(', ')}`)
    .option('--cluster <id>', 'only of this cluster')
    .option('--json', 'one JSON object per line, with headers and body');
  addDatabaseLocation(list).action((flags: { state?: string; cluster?: string; json?: boolean }) =>
    withDatabase(list, input, async (database) => {
      const messages = await listMessages(database, {
        states: statesOf(flags.state),
        cluster: flags.cluster,
        rowsMax: listedMessagesMax,
      });
      for (const message of messages) {
        print(
          flags.json === true
            ? JSON.stringify({ ...message, target: targetName(message.event_type_id) })
            : formatMessage(message),
        );
      }
      if (messages.length === 0 && flags.json !== true) print('none');
    }),
  );

  const retry = group
    .command('retry [ids...]')
    .description(
      'tries dead notifications, and those of unknown outcome, again under a new id; the running service takes them up',
    )
    .option('--all', 'all of them');
  addAuditOptions(addDatabaseLocation(retry)).action((ids: readonly string[], flags: { all?: boolean }) =>
    withDatabase(retry, input, async (database) => {
      if (ids.length === 0 && flags.all !== true) {
        throw new CcxError('nothing to try again was named', {
          code: 'RETRY_WHAT',
          category: 'input',
          hint: 'give ids (ccx notifications list shows them) or --all',
        });
      }
      // Rejects where nothing of ours is there, before the audit makes its table there.
      await database.query(`SELECT FROM ${TABLE_NOTIFICATION_OUTBOX} LIMIT 0`);
      const { migrateCcx } = await import('../../platform/database/ccx-migrations.ts');
      await migrateCcx(database, 'records');
      const by = { ...byWhomOf(retry), action: 'notifications retry' } as const;
      const marked = await requestRetry(database, flags.all === true ? { states: ['dead', 'unknown'] } : { ids }, by);
      for (const id of marked) print(`${id} will be sent under a new id`);
      if (marked.length < ids.length) {
        throw new CcxError('some of them are not dead, of unknown outcome, or were tried again before', {
          code: 'RETRY_NOT_POSSIBLE',
          category: 'input',
          hint: 'ccx notifications list shows their states',
        });
      }
    }),
  );
}

function statesOf(state: string | undefined): readonly ListedState[] {
  if (state === undefined) return LISTED_STATES.filter((listed) => listed !== 'delivered');
  const known = LISTED_STATES.find((listed) => listed === state);
  if (known !== undefined) return [known];
  throw new CcxError(`${state} is no state of a notification`, {
    code: 'NOTIFICATION_STATE',
    category: 'input',
    hint: `states are ${LISTED_STATES.join(', ')}`,
  });
}

async function withDatabase(
  command: Command,
  input: ProcessInput,
  work: (database: Database) => Promise<void>,
): Promise<void> {
  const { connectDatabase } = await import('../../platform/database/connect-database.ts');
  const database = connectDatabase({
    url: await locateDatabase(command, input),
    applicationName: `ccx ${command.name()}`,
  });
  try {
    await work(database);
  } catch (error) {
    if (sqlState(error) !== undefinedTable) throw error;
    throw new CcxError('no notification service of ours has worked on this database', {
      code: 'NOTIFIER_NO_TABLE',
      category: 'storage',
      cause: error,
      hint: 'name the right one with --database or --data, or start ccx notifier on it once',
    });
  } finally {
    await database.close();
  }
}

/** PostgreSQL's code for a table that is not there. */
const undefinedTable = '42P01';

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
