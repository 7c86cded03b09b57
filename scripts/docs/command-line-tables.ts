/** The command lines of the drop-in programs as tables, for `docs/compatibility.md`; the same rows that the tests run. */
import { type CommandLine, commandLines, type ProgramName } from '../../test/drop-in/command-lines.ts';

export function renderCommandLines(): string {
  return [tablesOf('ccx-notification-writer'), tablesOf('ccx-notification-service')].join('\n\n');
}

function tablesOf(program: ProgramName): string {
  const lines = commandLines.filter((line) => line.program === program);
  const different = lines.filter((line) => line.ends !== line.reference);
  return [
    `**\`${program}\`**: ${different.length} of ${lines.length} end differently.`,
    '',
    '| command line | given | ends with | the reference | why |',
    '|---|---|---|---|---|',
    ...[...different, ...lines.filter((line) => !different.includes(line))].map(rowOf),
  ].join('\n');
}

function rowOf(line: CommandLine): string {
  const shown = line.args.length === 0 ? '(no flag)' : `\`${line.args.map(quoted).join(' ')}\``;
  const cells = [shown, givenOf(line), line.ends, line.reference, line.why ?? ''];
  return `| ${cells.join(' | ')} |`;
}

function quoted(argument: string): string {
  return argument.includes(' ') ? `'${argument}'` : argument;
}

function givenOf({ given, database }: CommandLine): string {
  if (given !== undefined) return given;
  if (database === 'away') return 'the database is away';
  return database === 'empty' ? 'an empty database' : '';
}
