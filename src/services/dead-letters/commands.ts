/** `ccx dead-letters list|show|replay|discard`: what could not be processed, why, and what to do with it. */
import type { Command } from 'commander';
import { busSettings } from '../../platform/bus/bus-options.ts';
import { openBus } from '../../platform/bus/open-bus.ts';
import { createSystemClock } from '../../platform/clock/clock.ts';
import { addTableOptions, loadCommandConfig } from '../../platform/config/command-flags.ts';
import type { ProcessInput } from '../../platform/config/process-input.ts';
import { connectDatabase } from '../../platform/database/connect-database.ts';
import { addDatabaseLocation, locateDatabase } from '../../platform/database/database-location.ts';
import { createSilentTelemetry } from '../../platform/telemetry/telemetry.ts';
import { deadLettersOptions } from './config.ts';
import type { Letter } from './letter.ts';
import { shownValueBytesMax } from './limits.ts';
import { type DeadLetters, openDeadLetters } from './service.ts';

export function registerDeadLettersCommands(program: Command, input: ProcessInput): void {
  const group = program
    .command('dead-letters')
    .description('messages that could not be processed: list, show, replay, discard');

  located(group.command('list').description('letters that nobody has handled, oldest first'))
    .option('--topic <name>', 'only this dead-letter topic')
    .option('--all', 'handled ones too')
    .option('--json', 'one JSON object per line')
    .action((options: { topic?: string; all?: boolean; json?: boolean }, command: Command) =>
      withLetters(command, input, async (letters) => {
        let count = 0;
        for await (const letter of letters.list({
          ...(options.topic === undefined ? {} : { topic: options.topic }),
          handledToo: options.all === true,
        })) {
          count += 1;
          print(options.json === true ? JSON.stringify(letterAsJson(letter)) : letterAsLine(letter));
        }
        if (count === 0 && options.json !== true) print('no dead letters');
      }),
    );

  located(group.command('show <id>').description('one letter: reason, headers and value'))
    .option('--value', 'only the value, all of it and byte for byte')
    .option('--json', 'as one JSON object')
    .action((id: string, options: { value?: boolean; json?: boolean }, command: Command) =>
      withLetters(command, input, async (letters) => {
        const letter = await letters.find(id);
        if (options.value === true) process.stdout.write(letter.record.value ?? '');
        else print(options.json === true ? JSON.stringify(letterAsJson(letter, true)) : letterInFull(letter));
      }),
    );

  located(group.command('replay <ids...>').description('puts letters back on the topic that they came from')).action(
    (ids: string[], _options: unknown, command: Command) =>
      withLetters(command, input, async (letters) => {
        for (const id of ids) {
          const letter = await letters.replay(id);
          print(`${id} is back on ${letter.info?.sourceTopic}`);
        }
      }),
  );

  located(
    group
      .command('discard <ids...>')
      .description('marks letters as done with; they stay readable until retention takes them'),
  )
    .option('--note <text>', 'why, for whoever looks later', '')
    .action((ids: string[], options: { note: string }, command: Command) =>
      withLetters(command, input, async (letters) => {
        for (const id of ids) {
          await letters.discard(id, options.note);
          print(`${id} is discarded`);
        }
      }),
    );
}

function located(command: Command): Command {
  return addTableOptions(addDatabaseLocation(command), deadLettersOptions);
}

async function withLetters(
  command: Command,
  input: ProcessInput,
  work: (letters: DeadLetters) => Promise<void>,
): Promise<void> {
  const { config } = loadCommandConfig(command, deadLettersOptions, input);
  const database = connectDatabase({ url: await locateDatabase(command, input), applicationName: 'ccx dead-letters' });
  try {
    const bus = await openBus(busSettings(config, 'dead-letters'), {
      clock: createSystemClock(),
      telemetry: createSilentTelemetry('dead-letters'),
      database,
    });
    try {
      await work(await openDeadLetters({ bus, database }));
    } finally {
      await bus.close();
    }
  } finally {
    await database.close();
  }
}

function letterAsLine(letter: Letter): string {
  const { info } = letter;
  const state = letter.state === 'open' ? '' : `  (${letter.state})`;
  if (info === undefined)
    return `${letter.id}  ${new Date(letter.record.timestampMs).toISOString()}  no reason given${state}`;
  return `${letter.id}  ${info.time}  ${info.code}  ${info.service}/${info.step}  ${info.requestId ?? '-'}  ${info.reason}${state}`;
}

function letterInFull(letter: Letter): string {
  const { info, record } = letter;
  const value = record.value ?? Buffer.alloc(0);
  const shown = value.subarray(0, shownValueBytesMax).toString('utf8');
  const rest =
    value.length > shownValueBytesMax ? `\n… ${value.length - shownValueBytesMax} bytes more (--value shows all)` : '';
  const facts: [string, string][] = [
    ['letter', letter.id],
    ['state', letter.state],
    ['code', info?.code ?? '-'],
    ['reason', info?.reason ?? '-'],
    ['service', info?.service ?? '-'],
    ['step', info?.step ?? '-'],
    ['request id', info?.requestId ?? '-'],
    ['came from', info === undefined ? '-' : `${info.sourceTopic}/${info.sourcePartition}/${info.sourceOffset}`],
    ['put aside', info?.time ?? new Date(record.timestampMs).toISOString()],
    ['key', record.key?.toString('utf8') ?? '-'],
  ];
  return `${facts.map(([name, text]) => `${name.padEnd(12)}${text}`).join('\n')}\n\n${shown}${rest}`;
}

function letterAsJson(letter: Letter, withValue = false): Record<string, unknown> {
  const { info, record } = letter;
  return {
    id: letter.id,
    state: letter.state,
    ...(info === undefined ? {} : { ...info, sourceOffset: String(info.sourceOffset) }),
    key: record.key?.toString('utf8') ?? null,
    sizeBytes: record.value?.length ?? 0,
    ...(withValue ? { value: record.value?.toString('utf8') ?? null } : {}),
  };
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
