/**
 * Log lines in the two forms of the reference programs, for the drop-in programs: one JSON object per line (level first, then the fields,
 * then time and message), or a coloured line for people. It stands behind the ordinary log as its destination and writes each line anew.
 * Source: notification-writer.md 10.
 */
import type { DestinationStream, Logger } from 'pino';
import { CcxError, configInvalid, errorCode, errorText } from '../../encoding/ccx-error.ts';
import type { OptionRow } from '../config/options.ts';
import type { ProcessInput } from '../config/process-input.ts';
import { createLog, type LogLevel } from '../telemetry/log.ts';
import { openLogOutput } from '../telemetry/log-output.ts';

interface ReferenceLogOptions {
  readonly output: { write(text: string): unknown };
  /** For people instead of for programs. */
  readonly console: boolean;
  /** Colours are emitted even when nobody looks, as in the reference, unless `NO_COLOR` is set. */
  readonly colours: boolean;
}

interface LogLine {
  readonly level: string;
  readonly time: string;
  readonly msg?: string;
  readonly [field: string]: unknown;
}

export function referenceLog(options: ReferenceLogOptions): DestinationStream {
  const format = options.console ? consoleLine : jsonLine;
  return {
    write(line) {
      options.output.write(`${format(JSON.parse(line) as LogLine, options.colours)}\n`);
    },
  };
}

/** `service` says which program it is, which the reference's lines do not. */
function jsonLine({ level, time, msg, service: _, ...fields }: LogLine): string {
  return JSON.stringify({
    level,
    ...fields,
    time: time.replace(/\.\d+Z$/, 'Z'),
    ...(msg === undefined ? {} : { message: msg }),
  });
}

const abbreviations: Readonly<Record<string, string>> = {
  debug: 'DBG',
  info: 'INF',
  warn: 'WRN',
  error: 'ERR',
  fatal: 'FTL',
};
const levelColours: Readonly<Record<string, number>> = { debug: 33, info: 32, warn: 31, error: 31, fatal: 31 };

/** `4:15PM INF message key=value`: fields in order of the alphabet, `error` before the others. */
function consoleLine({ level, time, msg, service: _, ...fields }: LogLine, colours: boolean): string {
  const paint = (text: string, colour: number) => (colours ? `\u001b[${colour}m${text}\u001b[0m` : text);
  const at = new Date(time);
  const clock = `${at.getUTCHours() % 12 || 12}:${String(at.getUTCMinutes()).padStart(2, '0')}${at.getUTCHours() < 12 ? 'AM' : 'PM'}`;
  const names = Object.keys(fields).sort((left, right) => {
    if (left === 'error' || right === 'error') return left === 'error' ? -1 : 1;
    return left < right ? -1 : 1;
  });
  const shown = names.map((name) => {
    const value = valueText(fields[name]);
    return name === 'error' ? paint(`${name}=${value}`, 31) : `${paint(`${name}=`, 36)}${value}`;
  });
  const head = [paint(clock, 90), paint(abbreviations[level] ?? '???', levelColours[level] ?? 1)];
  return [...head, ...(msg === undefined ? [] : [paint(msg, 1)]), ...shown].join(' ');
}

/** Only text is quoted, and only where it holds more than the printable characters of ASCII, a blank, a quote or a backslash. */
function valueText(value: unknown): string {
  if (typeof value !== 'string') return JSON.stringify(value) ?? '';
  return /^[!#-[\]-~]*$/.test(value) ? value : JSON.stringify(value);
}

/** What a program logs with once it has its configuration. Throws `CONFIG_INVALID` for a kind of logging that there is not. */
export function openReferenceLog(service: string, config: LoggingConfig, env: ProcessInput['env']): Logger {
  refuseUnsupportedLogging(config);
  const output = openLogOutput(config['logging.use_stderr'] ? process.stderr : process.stdout);
  const colours = (env['NO_COLOR'] ?? '') === '';
  const { write } = referenceLog({ output, console: config['logging.debug'], colours });
  return createLog({
    service,
    level: referenceLogLevel(config['logging.log_level']),
    destination: { write, onLost: (tell) => output.onLost(tell) },
  });
}

/** As the reference: before there is a configuration, lines go to standard error as JSON. */
export function earlyLog(service: string): Logger {
  const destination = referenceLog({ output: process.stderr, console: false, colours: false });
  return createLog({ service, level: 'debug', destination });
}

/** What a line says of a failure. */
export function failureFields(error: unknown): Readonly<Record<string, string>> {
  const hint = error instanceof CcxError ? error.hint : undefined;
  return { error: errorText(error), code: errorCode(error), ...(hint === undefined ? {} : { hint }) };
}

/** Any case, `warning` too; everything unknown, the empty text included, is `debug`. Source: notification-writer.md 10, notification-service.md 13. */
export function referenceLogLevel(text: string): LogLevel {
  const level = text.trim().toLowerCase();
  if (level === 'warning') return 'warn';
  return level === 'info' || level === 'warn' || level === 'error' || level === 'fatal' ? level : 'debug';
}

const accepted = 'Accepted for old configurations; without effect';

/** The reference's keys for it, with its shipped values. */
export const loggingOptions = {
  'logging.debug': {
    default: false,
    description: 'The drop-in program: lines for people instead of JSON',
  },
  'logging.use_stderr': { default: false, description: 'Log to standard error' },
  'logging.log_level': { default: 'info', description: 'debug, info, warn, error or fatal' },
  'logging.logging_to_cloud_watch_enabled': {
    default: false,
    description: 'Not supported: collect standard output instead',
  },
  'logging.logging_to_sentry_enabled': {
    default: false,
    description: 'Not supported: alert on the log or on the metrics instead',
  },
  'cloudwatch.aws_access_id': { default: '', description: accepted },
  'cloudwatch.aws_secret_key': { default: '', secret: true, description: accepted },
  'cloudwatch.aws_session_token': { default: '', secret: true, description: accepted },
  'cloudwatch.aws_region': { default: '', description: accepted },
  'cloudwatch.log_group': { default: '', description: accepted },
  'cloudwatch.stream_name': { default: '', description: accepted },
  'cloudwatch.debug': { default: false, description: accepted },
  'sentry.dsn': { default: '', secret: true, description: accepted },
  'sentry.environment': { default: '', description: accepted },
} as const satisfies Record<string, OptionRow>;

export interface LoggingConfig
  extends Readonly<Record<'logging.debug' | 'logging.use_stderr' | keyof typeof unsupportedLogging, boolean>> {
  readonly 'logging.log_level': string;
}

/** Alternatives are named, because whoever switched one of these on counts on it. */
const unsupportedLogging = {
  'logging.logging_to_cloud_watch_enabled': 'let the platform collect standard output, which is JSON',
  'logging.logging_to_sentry_enabled': 'alert on log lines of level error, or on the metrics',
} as const;

/** Throws `CONFIG_INVALID`. */
export function refuseUnsupportedLogging(config: Pick<LoggingConfig, keyof typeof unsupportedLogging>): void {
  for (const [key, hint] of Object.entries(unsupportedLogging) as [keyof typeof unsupportedLogging, string][]) {
    if (!config[key]) continue;
    throw configInvalid(`${key} is not supported`, hint);
  }
}
