/**
 * `ccx notifications list|show|retry|discard|audit`: what became of messages, what a person wants done with those that were given up, and
 * what was never finished.
 */
import type { Command } from 'commander';
import { TABLE_NOTIFICATION_OUTBOX } from '../../contracts/tables.ts';
import { CcxError } from '../../encoding/ccx-error.ts';
import { loadCommandConfig } from '../../platform/config/command-flags.ts';
import type { ProcessInput } from '../../platform/config/process-input.ts';
import type { Database, Queryable } from '../../platform/database/database.ts';
import { addDatabaseLocation } from '../../platform/database/database-location.ts';
import { describeFailure } from '../../platform/lifecycle/run-role.ts';
import { addAuditOptions, byWhomOf } from '../../platform/records/audit.ts';
import { readTrace } from '../../platform/records/trace-log.ts';
import { print, withDatabase } from './command-database.ts';
import { notificationServiceOptions } from './config.ts';
import type { Deed } from './decide/judge-wish.ts';
import { notificationsExitCodes } from './exit-codes.ts';
import { type ReceiverNames, targetName } from './format-explanation.ts';
import { formatGranted, formatMessage, formatMessageInFull, type MessageInFull } from './format-message.ts';
import {
  addFilterFlags,
  durationOf,
  type FilterFlags,
  isNarrowed,
  readFilter,
  readId,
  readIds,
  readLimit,
  targetOf,
} from './message-flags.ts';
import {
  eachMessage,
  findMessage,
  type Granted,
  grantWish,
  LISTED_STATES,
  type ListedMessage,
  listOpen,
  readSurroundings,
  type Wish,
  wishesAtOnceMax,
} from './store/messages.ts';
import { readReceiverNames } from './store/targets.ts';

/** Messages that `ccx notifications list` shows at once, unless another number is asked for. */
const listedMessagesUsual = 1_000;
/** Messages that one `retry` or `discard` takes up by a filter; the rest is the next one's. */
const sweptMessagesMax = 100_000;
/** How long an audit looks, unless another time is asked for. */
const auditMsUsual = 60_000;
const givenUpStates = ['dead', 'unknown'] as const;

export function registerNotifications(program: Command, input: ProcessInput): void {
  const group = program
    .command('notifications')
    .description('notifications by state and in full; those that were given up tried again, or done with');
  registerList(group, input);
  registerShow(group, input);
  registerDeed(group, input, {
    deed: 'retry',
    description:
      'tries dead notifications, and those of unknown outcome, again under a new id; the running service takes them up',
  });
  registerDeed(group, input, {
    deed: 'discard',
    description: 'is done with notifications that were given up: they stay readable and no longer count as open',
  });
  registerAudit(group, input);
}

function registerList(group: Command, input: ProcessInput): void {
  const list = addFilterFlags(
    group.command('list').description('newest decision first; without --state those that are not delivered'),
    LISTED_STATES,
  )
    .option('--limit <number>', `at most so many (default ${listedMessagesUsual})`)
    .option('--after <id>', 'go on behind this one, the last of the page before')
    .option('--json', 'one JSON object per line, with headers and body');
  addDatabaseLocation(list).action((flags: FilterFlags & { after?: string; json?: boolean }) =>
    withDatabase(list, input, async (database) => {
      const messagesMax = readLimit(flags.limit, listedMessagesUsual);
      const usual = LISTED_STATES.filter((state) => state !== 'delivered');
      const filter = await readFilter(database, flags, { possible: LISTED_STATES, usual });
      const after = flags.after === undefined ? undefined : await requireMessage(database, flags.after);
      const receivers = await readReceiverNames(database);
      let last: ListedMessage | undefined;
      let count = 0;
      for await (const message of eachMessage(database, filter, { after, messagesMax })) {
        count += 1;
        last = message;
        print(flags.json === true ? JSON.stringify(withTarget(message, receivers)) : formatMessage(message, receivers));
      }
      if (count === 0 && flags.json !== true) print('none');
      if (count === messagesMax && last !== undefined)
        process.stderr.write(`there may be more: --after ${last.id} goes on\n`);
    }),
  );
}

function registerShow(group: Command, input: ProcessInput): void {
  const show = group
    .command('show <id>')
    .description('one notification: attempts, error, issues, trace of its request, headers and body')
    .option('--body', 'only the body, byte for byte as it was sent or will be')
    .option('--json', 'as one JSON object');
  addDatabaseLocation(show).action((id: string, flags: { body?: boolean; json?: boolean }) =>
    withDatabase(show, input, async (database) => {
      const message = await requireMessage(database, id);
      if (flags.body === true) {
        process.stdout.write(message.body);
        return;
      }
      const { request_id } = message;
      const trace = request_id === null ? [] : await readTrace(database, request_id);
      const full: MessageInFull = { ...message, ...(await readSurroundings(database, message)), trace };
      const receivers = await readReceiverNames(database);
      print(
        flags.json === true
          ? JSON.stringify(withTarget(full, receivers), digitsOfBigints)
          : formatMessageInFull(full, receivers),
      );
    }),
  );
}

function registerAudit(group: Command, input: ProcessInput): void {
  const command = group
    .command('audit')
    .description('looks for what was decided and never finished, and for what contradicts itself; changes nothing')
    .option('--config <file>', 'settings of the notifier, of which audit.overdue and delivery.retry_window count')
    .option('--target <name>', 'only of this target: notification-backend or service-log')
    .option('--overdue <duration>', 'what has been due for longer is a finding (default: audit.overdue, 2h)')
    .option('--for <duration>', `end after this, and say how far it came (default ${auditMsUsual / 1000}s)`)
    .option('--json', 'as one JSON object: findings, counts, what was looked through')
    .addHelpText('after', auditExitCodesHelp);
  addDatabaseLocation(command).action((flags: { target?: string; overdue?: string; for?: string; json?: boolean }) =>
    withDatabase(command, input, async (database) => {
      const { config } = loadCommandConfig(command, notificationServiceOptions, input);
      const { runAudit } = await import('./run-audit.ts');
      process.exitCode = await runAudit(database, {
        overdueMs: durationOf('--overdue', flags.overdue) ?? config['audit.overdue'],
        retryWindowMs: config['delivery.retry_window'],
        targets: flags.target === undefined ? [] : [targetOf(flags.target, await readReceiverNames(database))],
        msMax: durationOf('--for', flags.for) ?? auditMsUsual,
        json: flags.json === true,
      });
    }),
  );
}

const auditExitCodesHelp = `
Exit codes:
  0  everything was looked through, and nothing was found
  1  wrong use, or the database failed
  ${notificationsExitCodes.findings}  something was found
  ${notificationsExitCodes.notComplete}  nothing was found before the time was over; not everything was looked through
`;

interface DeedFlags extends FilterFlags {
  readonly all?: boolean;
  readonly yes?: boolean;
  readonly dryRun?: boolean;
  readonly note?: string;
  readonly json?: boolean;
}

function registerDeed(
  group: Command,
  input: ProcessInput,
  { deed, description }: { readonly deed: Deed; readonly description: string },
): void {
  const command = addFilterFlags(group.command(`${deed} [ids...]`).description(description), givenUpStates)
    .option('--limit <number>', `by flags at most so many (default ${sweptMessagesMax})`)
    .option('--all', 'all that nobody has handled')
    .option('--yes', 'also where flags choose more than one')
    .option('--dry-run', 'only say what would be done')
    .option('--note <text>', 'why, for whoever looks later and for ccx audit list', '')
    .option('--json', 'one JSON object per notification and line: id, deed, result, reason');
  command.addHelpText('after', exitCodesHelp);
  addAuditOptions(addDatabaseLocation(command), { withReason: false }).action(
    (texts: readonly string[], flags: DeedFlags) =>
      withDatabase(command, input, async (database) => {
        const ids = await chosenIds(database, { deed, texts, flags });
        if (ids === undefined) return;
        const isDryRun = flags.dryRun === true;
        const by = byWhomOf(command);
        const wish = {
          deed,
          isDryRun,
          by: { ...by, reason: flags.note ?? by.reason, action: `notifications ${deed}` },
        } as const;
        if (!isDryRun) await prepareAudit(database);
        let refused = 0;
        for (let start = 0; start < ids.length; start += wishesAtOnceMax) {
          const granted = await grantWish(database, wish, ids.slice(start, start + wishesAtOnceMax));
          for (const one of granted)
            print(flags.json === true ? JSON.stringify(grantedAsJson(one, wish)) : formatGranted(one, wish));
          refused += granted.filter(({ judgement }) => judgement.kind === 'refused').length;
        }
        if (ids.length === 0 && flags.json !== true) print('none');
        if (refused > 0) endWith(notificationsExitCodes.notPossible, notPossible(deed, refused, ids.length));
      }),
  );
}

/** Not where nothing of ours is: whoever chose messages has seen the outbox, and ids are asked for here. */
async function prepareAudit(database: Database): Promise<void> {
  await database.query(`SELECT FROM ${TABLE_NOTIFICATION_OUTBOX} LIMIT 0`);
  const { migrateCcx } = await import('../../platform/database/ccx-migrations.ts');
  await migrateCcx(database, 'records');
}

/** Named, or chosen by flags; undefined when many are chosen and nobody said yes. */
async function chosenIds(
  database: Queryable,
  { deed, texts, flags }: { readonly deed: Deed; readonly texts: readonly string[]; readonly flags: DeedFlags },
): Promise<readonly string[] | undefined> {
  if (texts.length > 0 && (flags.all === true || isNarrowed(flags))) {
    throw new CcxError('ids and flags that choose exclude each other', {
      code: 'NOTIFICATIONS_CHOSEN_TWICE',
      category: 'input',
      hint: 'give either ids, or --all, --state, --target, --cluster, --reason and ages',
    });
  }
  if (texts.length > 0) return readIds(texts);
  if (flags.all !== true && !isNarrowed(flags)) {
    throw new CcxError(`nothing to ${deed === 'retry' ? 'try again' : 'be done with'} was named`, {
      code: deed === 'retry' ? 'RETRY_WHAT' : 'DISCARD_WHAT',
      category: 'input',
      hint: 'give ids (ccx notifications list shows them), flags that choose, or --all',
    });
  }
  const filter = await readFilter(database, flags, { possible: givenUpStates, usual: givenUpStates });
  const ids = await listOpen(database, filter, readLimit(flags.limit, sweptMessagesMax));
  // `retry --all` has always meant it.
  const isMeant = flags.yes === true || flags.dryRun === true || (deed === 'retry' && flags.all === true);
  if (ids.length <= 1 || isMeant) return ids;
  const error = new CcxError(`${ids.length} notifications are chosen, and nothing was done`, {
    code: 'NOT_CONFIRMED',
    category: 'input',
    hint: '--yes does it, --dry-run says to which',
  });
  endWith(notificationsExitCodes.notConfirmed, error);
  return undefined;
}

function notPossible(deed: Deed, refused: number, all: number): CcxError {
  return new CcxError(
    `${refused} of ${all} could not be ${deed === 'retry' ? 'asked to be tried again' : 'discarded'}`,
    {
      code: deed === 'retry' ? 'RETRY_NOT_POSSIBLE' : 'DISCARD_NOT_POSSIBLE',
      category: 'input',
      hint: 'the lines above say why; ccx notifications show says everything about one',
    },
  );
}

function endWith(exitCode: number, error: CcxError): void {
  process.stderr.write(`${describeFailure(error)}\n`);
  process.exitCode = exitCode;
}

const exitCodesHelp = `
Exit codes:
  0  done, or it was so before, or nothing was chosen
  1  wrong use, or the database failed
  ${notificationsExitCodes.notPossible}  some could not be done; each line says why
  ${notificationsExitCodes.notConfirmed}  flags chose more than one and --yes was not given; nothing was done
`;

async function requireMessage(database: Database, id: string): Promise<ListedMessage> {
  const message = await findMessage(database, readId(id));
  if (message !== undefined) return message;
  throw new CcxError(`there is no notification ${id}`, {
    code: 'NOTIFICATION_UNKNOWN',
    category: 'input',
    hint: 'finished ones are kept for retention.outbox (30 days); ccx notifications list shows what is there',
  });
}

function grantedAsJson({ id, judgement, replacedBy }: Granted, { deed, isDryRun }: Wish) {
  const isPossible = judgement.kind === 'possible';
  const result = isPossible ? (isDryRun ? 'would-be-done' : 'done') : judgement.kind;
  return { id, deed, result, reason: isPossible ? null : judgement.reason, replaced_by: replacedBy };
}

function withTarget<Message extends { readonly event_type_id: number }>(message: Message, receivers: ReceiverNames) {
  return { ...message, target: targetName(message.event_type_id, receivers) };
}

function digitsOfBigints(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value;
}
