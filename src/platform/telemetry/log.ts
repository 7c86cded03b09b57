/** The JSON log of one program or role: one object per line, secrets left out. Apart from the other telemetry, which is slow to load. */
import pino, { type DestinationStream, type Logger } from 'pino';
import { type LogOutput, openLogOutput } from './log-output.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent';

export interface LogOptions {
  /** Role name; field `service` of every log line. */
  readonly service: string;
  readonly level: LogLevel;
  /** Where log lines go; standard output by default. */
  readonly destination?: DestinationStream | LogOutput;
}

/** Paths whose values never reach a log, whatever the caller passes. */
const redactedPaths = [
  'authorization',
  'password',
  'token',
  'identity',
  'secret',
  '*.authorization',
  '*.password',
  '*.token',
  '*.secret',
];

export function createLog({ service, level, destination }: LogOptions): Logger {
  const settings = {
    level,
    base: null,
    // A line whose event is about a `service` of its own has that one: as a base it would stand there twice.
    mixin: () => ({ service }),
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    redact: { paths: redactedPaths, censor: '[redacted]' },
  };
  if (destination !== undefined && !isLogOutput(destination)) return pino(settings, destination);
  const output = destination ?? openLogOutput(process.stdout);
  const log = pino(settings, output);
  output.onLost((lines) => log.warn({ lines }, 'nobody read this log for a while: lines of that time are lost'));
  return log;
}

function isLogOutput(destination: DestinationStream | LogOutput): destination is LogOutput {
  return 'onLost' in destination;
}
