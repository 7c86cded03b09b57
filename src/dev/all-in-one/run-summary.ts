/**
 * What happened in this process, counted from business events: the summary that `--once` prints. It listens to the diagnostics channel,
 * so the services know nothing of it.
 */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { BUSINESS_EVENT_CHANNEL, type BusinessEvent } from '../../platform/telemetry/telemetry.ts';

/** The JSON object of `ccx all-in-one --once --json`, next to `uploads` and `refused`, which the uploader counts. */
export interface RunCounts {
  readonly announced: number;
  readonly reports: number;
  readonly stored: number;
  /** Decisions by reason, all targets together. */
  readonly decisions: Readonly<Record<string, number>>;
  /** Delivered notifications by target. */
  readonly notifications: Readonly<Record<string, number>>;
  readonly deadLetters: number;
  /** Sum of the time spent in each hop, milliseconds, by hop number. */
  readonly elapsedMs: Readonly<Record<string, number>>;
}

export interface DeliveredNotification {
  readonly target: string;
  readonly cluster: string;
  readonly id: string;
}

export interface RunSummary {
  counts(): RunCounts;
  close(): void;
}

export function collectRunSummary(onEvent: (event: BusinessEvent) => void = () => undefined): RunSummary {
  const tally = { announced: 0, reports: 0, stored: 0, deadLetters: 0 };
  const decisions = new Map<string, number>();
  const notifications = new Map<string, number>();
  const elapsedMs = new Map<string, number>();
  const add = (map: Map<string, number>, key: unknown, amount = 1) =>
    map.set(String(key), (map.get(String(key)) ?? 0) + amount);

  const listen = (message: unknown) => {
    const event = message as BusinessEvent;
    const { fields } = event;
    if (typeof fields['hop'] === 'number' && typeof fields['elapsedMs'] === 'number') {
      add(elapsedMs, fields['hop'], fields['elapsedMs']);
    }
    switch (event.event) {
      case 'upload-announced':
        tally.announced += 1;
        break;
      case 'report-published':
        tally.reports += 1;
        break;
      case 'report-stored':
        tally.stored += 1;
        break;
      case 'message-dead-lettered':
      case 'notification-dead':
        tally.deadLetters += 1;
        break;
      case 'issue-decided':
        add(decisions, fields['reason']);
        break;
      case 'notification-delivered':
        add(notifications, fields['target']);
        break;
    }
    onEvent(event);
  };
  subscribe(BUSINESS_EVENT_CHANNEL, listen);
  return {
    counts: () => ({
      ...tally,
      decisions: sorted(decisions),
      notifications: sorted(notifications),
      elapsedMs: Object.fromEntries([...elapsedMs].map(([hop, ms]) => [hop, Math.round(ms * 1000) / 1000])),
    }),
    close: () => void unsubscribe(BUSINESS_EVENT_CHANNEL, listen),
  };
}

function sorted(map: ReadonlyMap<string, number>): Record<string, number> {
  return Object.fromEntries([...map].sort(([a], [b]) => (a < b ? -1 : 1)));
}
