/** The business events of this process, remembered from now on, so that a test can wait for one that may already have happened. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { BUSINESS_EVENT_CHANNEL, type BusinessEvent } from '../../src/platform/telemetry/telemetry.ts';

type Fields = Readonly<Record<string, unknown>>;

export interface EventWatch {
  /** Every event of that name so far whose fields have these values, in order. */
  seen(name: string, fields?: Fields): readonly BusinessEvent[];
  /** Resolves with the first `count` of them; rejects when they do not come in time, and says what came instead. */
  wait(name: string, fields?: Fields, count?: number): Promise<readonly BusinessEvent[]>;
  close(): void;
}

/** Far more than anything takes here; only a failing test waits so long. */
const waitMsMax = 30_000;
const eventsToldMax = 60;

export function watchEvents(): EventWatch {
  const events: BusinessEvent[] = [];
  const lookers = new Set<() => void>();
  const listen = (message: unknown) => {
    events.push(message as BusinessEvent);
    for (const look of lookers) look();
  };
  subscribe(BUSINESS_EVENT_CHANNEL, listen);
  const seen = (name: string, fields: Fields = {}) =>
    events.filter(
      (event) => event.event === name && Object.entries(fields).every(([key, value]) => event.fields[key] === value),
    );
  return {
    seen,
    wait(name, fields = {}, count = 1) {
      return new Promise((resolve, reject) => {
        const look = () => {
          const found = seen(name, fields);
          if (found.length < count) return;
          lookers.delete(look);
          clearTimeout(timer);
          resolve(found.slice(0, count));
        };
        const timer = setTimeout(() => {
          lookers.delete(look);
          const came = events
            .slice(-eventsToldMax)
            .map((event) => `${event.service} ${event.event} ${JSON.stringify(event.fields)}`);
          reject(new Error(`no ${name} ${JSON.stringify(fields)}; what came last:\n${came.join('\n')}`));
        }, waitMsMax);
        lookers.add(look);
        look();
      });
    },
    close: () => unsubscribe(BUSINESS_EVENT_CHANNEL, listen),
  };
}
