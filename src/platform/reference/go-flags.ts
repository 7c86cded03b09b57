/**
 * Command lines as Go's `flag` package reads them, for the two drop-in programs, whose users' scripts were written for it. `ccx` itself
 * uses commander. Source: notification-writer.md 1.1, 1.2; notification-service.md 2.1.
 */
import { parseBoolean } from '../config/parse-value.ts';
import type { ProcessInput } from '../config/process-input.ts';

interface GoFlag {
  /** `int` and `value` (what a library reads in its own way) are kept as their text. */
  readonly type: 'bool' | 'string' | 'int' | 'value';
  /** As the help shows it. */
  readonly usage: string;
  /** As the help shows it behind the usage. */
  readonly default?: string;
  /** Ours: the help is the reference's, to the letter. */
  readonly hidden?: true;
  /** Go's words for what is wrong with a text; undefined when nothing is. */
  readonly problem?: (text: string) => string | undefined;
}

export type GoFlagTable = Readonly<Record<string, GoFlag>>;

/** What both programs do with rows that are old. */
export const oldRecordFlags = {
  'max-age': { type: 'string', usage: 'max age for displaying/cleaning old records' },
  'new-reports-cleanup': { type: 'bool', usage: 'perform new reports clean up' },
  'old-reports-cleanup': { type: 'bool', usage: 'perform old reports clean up' },
  'print-new-reports-for-cleanup': { type: 'bool', usage: 'print new reports to be cleaned up' },
  'print-old-reports-for-cleanup': { type: 'bool', usage: 'print old reports to be cleaned up' },
} as const satisfies GoFlagTable;

/** Flags that were not given are absent: false and the empty text, in Go's words. */
export type GoFlagValues<Table extends GoFlagTable> = {
  readonly [Name in keyof Table]?: Table[Name]['type'] extends 'bool' ? boolean : string;
};

type GoFlagResult<Table extends GoFlagTable> =
  | { readonly kind: 'parsed'; readonly values: GoFlagValues<Table> }
  /** `-h` and its relatives: the usage on standard error, exit code 0. */
  | { readonly kind: 'help' }
  /** This line and the usage on standard error, exit code 2. */
  | { readonly kind: 'error'; readonly line: string };

/** One or two dashes; reading stops at the first argument that is no flag, or behind `--`, and what follows is ignored. */
export function parseGoFlags<const Table extends GoFlagTable>(
  table: Table,
  args: readonly string[],
): GoFlagResult<Table> {
  const values: Record<string, boolean | string> = {};
  for (let index = 0; index < args.length; index += 1) {
    const argument = args[index]!;
    if (!argument.startsWith('-') || argument === '-' || argument === '--') break;
    const body = argument.replace(/^--?/, '');
    if (body.startsWith('-') || body.startsWith('=')) return { kind: 'error', line: `bad flag syntax: ${argument}` };
    const equals = body.indexOf('=');
    const name = equals === -1 ? body : body.slice(0, equals);
    const given = equals === -1 ? undefined : body.slice(equals + 1);

    const flag = Object.hasOwn(table, name) ? table[name] : undefined;
    if (flag === undefined) {
      if (name === 'h' || name === 'help') return { kind: 'help' };
      return { kind: 'error', line: `flag provided but not defined: -${name}` };
    }
    if (flag.type === 'bool') {
      const value = given === undefined ? true : given === '' ? undefined : parseBoolean(given);
      if (value === undefined) {
        return { kind: 'error', line: `invalid boolean value ${JSON.stringify(given)} for -${name}: parse error` };
      }
      values[name] = value;
    } else {
      if (given === undefined) index += 1;
      const text = given ?? args[index];
      if (text === undefined) return { kind: 'error', line: `flag needs an argument: -${name}` };
      const problem = flag.problem?.(text);
      if (problem !== undefined) {
        return { kind: 'error', line: `invalid value ${JSON.stringify(text)} for flag -${name}: ${problem}` };
      }
      values[name] = text;
    }
  }
  return { kind: 'parsed', values: values as GoFlagValues<Table> };
}

/** Reads the command line; where there is nothing to run, says so on standard error and answers with the exit code. */
export function readGoFlags<const Table extends GoFlagTable>(
  table: Table,
  { args, programName }: Pick<ProcessInput, 'args' | 'programName'>,
): GoFlagValues<Table> | number {
  const parsed = parseGoFlags(table, args);
  if (parsed.kind === 'parsed') return parsed.values;
  const line = parsed.kind === 'error' ? `${parsed.line}\n` : '';
  process.stderr.write(`${line}${goUsage(programName, table)}`);
  return parsed.kind === 'error' ? exitUsage : 0;
}

/** As Go's `flag` package ends a program. */
const exitUsage = 2;

/** The whole help text with its line breaks; flags in alphabetical order, defaults where they are not zero. */
export function goUsage(programName: string, table: GoFlagTable): string {
  const lines = Object.entries(table)
    .filter(([, { hidden }]) => hidden !== true)
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .flatMap(([name, flag]) => [
      `  -${name}${flag.type === 'bool' ? '' : ` ${flag.type}`}`,
      `    \t${flag.usage}${flag.default === undefined ? '' : ` (default ${flag.default})`}`,
    ]);
  return `${[`Usage of ${programName}:`, ...lines].join('\n')}\n`;
}
