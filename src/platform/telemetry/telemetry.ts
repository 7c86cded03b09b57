/**
 * What a service's `telemetry.ts` writes to: a JSON log, Prometheus metrics, the current trace span and a diagnostics channel. Services
 * never use this directly outside `telemetry.ts`; one business event is one function there.
 */
import { channel } from 'node:diagnostics_channel';
import type { Logger } from 'pino';
import { createLog, type LogOptions } from './log.ts';
import { Registry } from './prometheus.ts';

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

/**
 * Spans are those of an SDK that was there first (`node --import`): it leaves a mark on the global object. Without one there are none, and
 * the API, a hundred files, need not be loaded.
 */
const hasTracing = Object.getOwnPropertySymbols(globalThis).some((symbol) =>
  symbol.description?.startsWith('opentelemetry.js.api.'),
);
const tracing = hasTracing ? (await import('@opentelemetry/api')).trace : undefined;

export function createTelemetry(options: LogOptions): Telemetry {
  return telemetryOf(options.service, createLog(options));
}

/** Around a log that is there already. */
export function telemetryOf(service: string, log: Logger): Telemetry {
  return {
    service,
    log,
    registry: new Registry(),
    announce(event, fields = {}) {
      tracing?.getActiveSpan()?.addEvent(event);
      if (businessEvents.hasSubscribers) businessEvents.publish({ service, event, fields } satisfies BusinessEvent);
    },
  };
}

/** For tests and short commands: no log output, metrics kept in a registry of their own. */
export function createSilentTelemetry(service = 'test'): Telemetry {
  return createTelemetry({ service, level: 'silent' });
}
