/** The command line of the reference's notification service, and which operation runs when several are given. Source: notification-service.md 2. */
import { type GoFlagTable, type GoFlagValues, oldRecordFlags } from '../../../platform/reference/go-flags.ts';

/** Of the last of them. */
const severityMax = 3;

/**
 * The flags of the logging library (glog) that the reference is linked with, because wrappers pass them. They are read as there, wrong values
 * included, and have no effect: the reference itself logs through another library.
 */
const severities: ReadonlySet<string> = new Set(['INFO', 'WARNING', 'ERROR', 'FATAL']);

const loggingFlags = {
  alsologtostderr: { type: 'bool', usage: 'log to standard error as well as files' },
  log_backtrace_at: {
    type: 'value',
    usage: 'when logging hits line file:N, emit a stack trace',
    problem: traceLocationsProblem,
  },
  log_dir: { type: 'string', usage: 'If non-empty, write log files in this directory' },
  log_link: { type: 'string', usage: 'If non-empty, add symbolic links in this directory to the log files' },
  logbuflevel: {
    type: 'int',
    usage:
      "Buffer log messages logged at this level or lower (-1 means don't buffer; 0 means buffer INFO only; ...). Has limited applicability on non-prod platforms.",
    problem: (text) =>
      /^[+-]?(\d[\d_]*|0[xX][\da-fA-F_]+|0[oO][0-7_]+|0[bB][01_]+)$/.test(text) ? rangeProblem(text) : 'parse error',
  },
  logtostderr: { type: 'bool', usage: 'log to standard error instead of files' },
  stderrthreshold: {
    type: 'value',
    usage: 'logs at or above this threshold go to stderr',
    default: '2',
    problem: severityProblem,
  },
  v: { type: 'value', usage: 'log level for V logs', problem: atoiProblem },
  vmodule: {
    type: 'value',
    usage: 'comma-separated list of pattern=N settings for file-filtered logging',
    problem: (text) =>
      partsOf(text).every((part) => /^[^=]+=[+-]?\d+$/.test(part))
        ? undefined
        : 'syntax error: expect comma-separated list of filename=N',
  },
} as const satisfies GoFlagTable;

export const serviceFlags = {
  'cleanup-on-startup': { type: 'bool', usage: 'perform database clean up on startup' },
  'dry-run': {
    type: 'bool',
    usage: 'with -instant-reports: print what would be sent and why or why not',
    hidden: true,
  },
  cluster: { type: 'string', usage: 'with -dry-run: only this cluster', hidden: true },
  'ignore-disabled-rules': {
    type: 'bool',
    usage: 'skip disabled rules check, process all rules as if none are disabled',
  },
  'instant-reports': { type: 'bool', usage: 'create instant reports' },
  ...oldRecordFlags,
  'show-authors': { type: 'bool', usage: 'show authors and exit' },
  'show-configuration': { type: 'bool', usage: 'show configuration and exit' },
  'show-version': { type: 'bool', usage: 'show version and exit' },
  verbose: { type: 'bool', usage: 'verbose logs' },
  ...loggingFlags,
} as const satisfies GoFlagTable;

export type ServiceFlags = GoFlagValues<typeof serviceFlags>;

/** The first one that was given runs, and only that. */
const precedence = [
  'show-version',
  'show-authors',
  'show-configuration',
  'print-new-reports-for-cleanup',
  'new-reports-cleanup',
  'print-old-reports-for-cleanup',
  'old-reports-cleanup',
  'instant-reports',
] as const;

export type ServiceOperation = (typeof precedence)[number];

/** Undefined: none was given, and the other flags alone are not enough. */
export function chooseOperation(flags: ServiceFlags): ServiceOperation | undefined {
  return precedence.find((name) => flags[name] === true);
}

function atoiProblem(text: string): string | undefined {
  const problem = /^[+-]?\d+$/.test(text) ? rangeProblem(text) : 'invalid syntax';
  return problem === undefined ? undefined : `strconv.Atoi: parsing ${JSON.stringify(text)}: ${problem}`;
}

/** Go's integers have 64 bits. */
function rangeProblem(text: string): string | undefined {
  const size = BigInt(text.replace(/^[+-]/, '').replaceAll('_', ''));
  return size > (text.startsWith('-') ? 2n ** 63n : 2n ** 63n - 1n) ? 'value out of range' : undefined;
}

/** A name in any case, or its number. */
function severityProblem(text: string): string | undefined {
  if (severities.has(text.toUpperCase())) return undefined;
  const number = Number(text);
  return (
    atoiProblem(text) ??
    (number < 0 || number > severityMax ? `Severity ${number} out of range (min 0, max ${severityMax}).` : undefined)
  );
}

function traceLocationsProblem(text: string): string | undefined {
  for (const part of partsOf(text)) {
    if (!/^[^:]*\.[^:]*:[+-]?\d+$/.test(part)) return 'syntax error: expect file.go:234';
    if (Number(part.split(':')[1]) < 0) return 'negative value for line';
  }
  return undefined;
}

/** Empty parts, such as behind a comma at the end, are passed over. */
function partsOf(text: string): string[] {
  return text.split(',').filter((part) => part !== '');
}
