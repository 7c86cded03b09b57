/**
 * What a service's `telemetry.ts` writes to: a JSON log, Prometheus metrics, the current trace span and a diagnostics channel. Services
 * never use this directly outside `telemetry.ts`; one business event is one function there.
 */
import { channel } from 'node:diagnostics_channel';
import { trace } from '@opentelemetry/api';
import pino, { type DestinationStream, type Logger } from 'pino';
import { Registry } from 'prom-client';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent';

export interface TelemetryOptions {
  /** Role name; field `service` of every log line. */
  readonly service: string;
  readonly level: LogLevel;
  /** Where log lines go; standard output by default. */
  readonly destination?: DestinationStream;
}

export interface Telemetry {
  readonly service: string;
  readonly log: Logger;
  readonly registry: Registry;
  /** Announces a business event to the active span and to the diagnostics channel. Never throws, costs nothing when nobody listens. */
  announce(event: string, fields?: Readonly<Record<string, unknown>>): void;
}

/** What listeners of the channel receive. Tests observe these, never log text. */
export interface BusinessEvent {
  readonly service: string;
  /** `<noun>-<past-tense verb>`, e.g. `archive-stored`. */
  readonly event: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

export const BUSINESS_EVENT_CHANNEL = 'ccx:business-event';
const businessEvents = channel(BUSINESS_EVENT_CHANNEL);

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

export function createTelemetry(options: TelemetryOptions): Telemetry {
  const settings = {
    level: options.level,
    base: null,
    // A line whose event is about a `service` of its own has that one: as a base it would stand there twice.
    mixin: () => ({ service: options.service }),
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    redact: { paths: redactedPaths, censor: '[redacted]' },
  };
  const log = options.destination === undefined ? pino(settings) : pino(settings, options.destination);
  return {
    service: options.service,
    log,
    registry: new Registry(),
    announce(event, fields = {}) {
      trace.getActiveSpan()?.addEvent(event);
      if (businessEvents.hasSubscribers) {
        businessEvents.publish({ service: options.service, event, fields } satisfies BusinessEvent);
      }
    },
  };
}

/** For tests and short commands: no log output, metrics kept in a registry of their own. */
export function createSilentTelemetry(service = 'test'): Telemetry {
  return createTelemetry({ service, level: 'silent' });
}
