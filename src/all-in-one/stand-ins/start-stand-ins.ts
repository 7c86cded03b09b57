/**
 * The stand-ins for whoever receives notifications, and what they got. A real receiver that is configured takes the place of its stand-in.
 * What was received is kept in files, so that a restarted installation still shows it.
 */
import { join } from 'node:path';
import type { Bus } from '../../platform/bus/bus.ts';
import type { Clock } from '../../platform/clock/clock.ts';
import {
  type FakeNotificationBackend,
  startFakeNotificationBackend,
} from './notification-backend/fake-notification-backend.ts';
import { type FakeServiceLog, startFakeServiceLog } from './service-log/fake-service-log.ts';
import { clientId, type FakeTokenEndpoint, startFakeTokenEndpoint } from './token-endpoint/fake-token-endpoint.ts';

/** Those whose real receiver is not configured. */
export interface WantedStandIns {
  readonly notificationBackend: boolean;
  readonly serviceLog: boolean;
}

export interface StandIns {
  /** Absent where a real one is configured. */
  readonly backend: FakeNotificationBackend | undefined;
  readonly serviceLog: FakeServiceLog | undefined;
  readonly tokens: FakeTokenEndpoint | undefined;
  /** What the stand-in wants to see; any would do for a process that talks to itself. */
  readonly clientId: string;
  readonly clientSecret: string;
  idle(): Promise<boolean>;
  stop(): Promise<void>;
}

export async function startStandIns(options: {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly folder: string;
  readonly wanted: WantedStandIns;
  /** Hears in one sentence what of the files could not be read or kept. */
  readonly onFileTrouble?: (text: string) => void;
}): Promise<StandIns> {
  const { bus, clock, folder, wanted, onFileTrouble } = options;
  const started: { stop(): Promise<void> }[] = [];
  const keep = <T extends { stop(): Promise<void> }>(part: T): T => {
    started.push(part);
    return part;
  };
  const stop = async () => {
    for (const part of started.splice(0).reverse()) await part.stop();
  };
  try {
    const backend = wanted.notificationBackend
      ? keep(
          await startFakeNotificationBackend({
            bus,
            clock,
            file: join(folder, 'notification-backend.jsonl'),
            onFileTrouble,
          }),
        )
      : undefined;
    const tokens = wanted.serviceLog ? keep(await startFakeTokenEndpoint(clock)) : undefined;
    const serviceLog = wanted.serviceLog
      ? keep(await startFakeServiceLog({ clock, file: join(folder, 'service-log.jsonl'), onFileTrouble }))
      : undefined;
    return {
      ...{ backend, serviceLog, tokens, clientId, stop },
      clientSecret: clock.uuid(),
      idle: async () => (await backend?.idle()) ?? true,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
