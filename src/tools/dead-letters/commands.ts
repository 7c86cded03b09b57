/** `ccx dead-letters list|show|replay|discard`: what could not be processed, why, and what to do with it. */
import type { Command } from 'commander';
import { busSettings } from '../../platform/bus/bus-options.ts';
import { openBus } from '../../platform/bus/open-bus.ts';
import { createSystemClock } from '../../platform/clock/clock.ts';
import { addTableOptions, loadCommandConfig } from '../../platform/config/command-flags.ts';
import type { ProcessInput } from '../../platform/config/process-input.ts';
import { connectDatabase } from '../../platform/database/connect-database.ts';
import { addDatabaseLocation, locateDatabase } from '../../platform/database/database-location.ts';
import { addAuditOptions, byWhomOf } from '../../platform/records/audit.ts';
import { createSilentTelemetry } from '../../platform/telemetry/telemetry.ts';
import { deadLettersOptions } from './config.ts';
import type { DeadLetter, OpenDeadNotifications } from './dead-letter.ts';
import { type DeadLetters, openDeadLetters } from './service.ts';

/** How much of a value is shown to a person, unless all of it is asked for. */
const shownValueBytesMax = 2_000;

export function registerDeadLettersCommands(
  program: Command,
  input: ProcessInput,
  openNotifications: OpenDeadNotifications,
): void {
  async function withDeadLetters(command: Command, work: (deadLetters: DeadLetters) => Promise<void>): Promise<void> {
    const { config } = loadCommandConfig(command, deadLettersOptions, input);
    const url = await locateDatabase(command, input);
    const database = connectDatabase({ url, applicationName: 'ccx dead-letters' });
    try {
      const telemetry = createSilentTelemetry('dead-letters');
      const settings = busSettings(config, 'dead-letters');
      const bus = await openBus(settings, { clock: createSystemClock(), telemetry, database });
      try {
        const notifications = await openNotifications(database);
        await work(await openDeadLetters({ bus, database, notifications }));
      } finally {
        await bus.close();
      }
    } finally {
      await database.close();
    }
  }
  const group = program
    .command('dead-letters')
    .description('messages that could not be processed, notifications that were given up: list, show, replay, discard');

  located(group.command('list').description('dead letters that nobody has handled, oldest first'))
    .option('--topic <name>', 'only this dead-letter topic, and no notifications')
    .option('--all', 'handled ones too')
    .option('--json', 'one JSON object per line')
    .action((options: { topic?: string; all?: boolean; json?: boolean }, command: Command) =>
      withDeadLetters(command, async (deadLetters) => {
        let count = 0;
        for await (const deadLetter of deadLetters.list({ topic: options.topic, handledToo: options.all })) {
          count += 1;
          print(options.json === true ? JSON.stringify(deadLetterAsJson(deadLetter)) : deadLetterAsLine(deadLetter));
        }
        if (count === 0 && options.json !== true) print('no dead letters');
      }),
    );

  located(group.command('show <id>').description('one dead letter: reason, headers and value'))
    .option('--value', 'only the value, all of it and byte for byte')
    .option('--json', 'as one JSON object')
    .action((id: string, options: { value?: boolean; json?: boolean }, command: Command) =>
      withDeadLetters(command, async (deadLetters) => {
        const deadLetter = await deadLetters.find(id);
        if (options.value === true) process.stdout.write(deadLetter.value);
        else
          print(
            options.json === true ? JSON.stringify(deadLetterAsJson(deadLetter, true)) : deadLetterInFull(deadLetter),
          );
      }),
    );

  addAuditOptions(
    located(
      group
        .command('replay <ids...>')
        .description('puts dead letters back on the topic that they came from; notifications are sent under a new id'),
    ),
  ).action((ids: string[], _options: unknown, command: Command) =>
    withDeadLetters(command, async (deadLetters) => {
      for (const id of ids) print(`${id} ${await deadLetters.replay(id, byWhomOf(command))}`);
    }),
  );

  addAuditOptions(
    located(
      group
        .command('discard <ids...>')
        .description('marks dead letters as done with; they stay readable until retention takes them'),
    ),
    { withReason: false },
  )
    .option('--note <text>', 'why, for whoever looks later', '')
    .action((ids: string[], options: { note: string }, command: Command) =>
      withDeadLetters(command, async (deadLetters) => {
        for (const id of ids) {
          await deadLetters.discard(id, { ...byWhomOf(command), reason: options.note });
          print(`${id} is discarded`);
        }
      }),
    );
}

function located(command: Command): Command {
  return addTableOptions(addDatabaseLocation(command), deadLettersOptions);
}

function deadLetterAsLine({ id, state, info, time }: DeadLetter): string {
  const done = state === 'open' ? '' : `  (${state})`;
  if (info === undefined) return `${id}  ${time}  no reason given${done}`;
  return `${id}  ${time}  ${info.code}  ${info.service}/${info.step}  ${info.requestId ?? '-'}  ${info.reason}${done}`;
}

function deadLetterInFull({ id, state, info, facts, time, value }: DeadLetter): string {
  const shown = value.subarray(0, shownValueBytesMax).toString('utf8');
  const rest =
    value.length > shownValueBytesMax ? `\n… ${value.length - shownValueBytesMax} bytes more (--value shows all)` : '';
  const lines: [string, string][] = [
    ['dead letter', id],
    ['state', state],
    ['code', info?.code ?? '-'],
    ['reason', info?.reason ?? '-'],
    ['service', info?.service ?? '-'],
    ['step', info?.step ?? '-'],
    ['request id', info?.requestId ?? '-'],
    ['dead-lettered', time],
    ...Object.entries(facts),
  ];
  const width = Math.max(...lines.map(([name]) => name.length)) + 1;
  return `${lines.map(([name, text]) => `${name.padEnd(width)}${text}`).join('\n')}\n\n${shown}${rest}`;
}

function deadLetterAsJson(
  { id, state, info, facts, time, value }: DeadLetter,
  withValue = false,
): Record<string, unknown> {
  const { code, reason, service, step, requestId } = info ?? {};
  return {
    ...{ id, state, time, code, reason, service, step, requestId, facts, sizeBytes: value.length },
    ...(withValue ? { value: value.toString('utf8') } : {}),
  };
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
