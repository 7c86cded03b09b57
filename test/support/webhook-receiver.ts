/** Receivers as a file configures them, with what a test changes; used by the tests of receivers. */
import type { Clock } from '../../src/platform/clock/clock.ts';
import { loadConfig } from '../../src/platform/config/load-config.ts';
import { Lifecycle } from '../../src/platform/lifecycle/lifecycle.ts';
import { createSilentTelemetry } from '../../src/platform/telemetry/telemetry.ts';
import type { Receiver } from '../../src/services/notification-service/config.ts';
import { notificationServiceOptions } from '../../src/services/notification-service/config.ts';
import { dependencySettings, openReceivers } from '../../src/services/notification-service/open-dependencies.ts';
import { temporaryFile } from './temporary-folder.ts';
import { testSigningKey } from './webhook-sink.ts';

type Setting = string | number | boolean | readonly string[];

/** `[[receivers]]` of a file, and settings above them. */
export function receiversToml(entries: readonly Readonly<Record<string, Setting>>[], above = ''): string {
  const tables = entries.map((entry) =>
    ['[[receivers]]', ...Object.entries(entry).map(([key, value]) => `${key} = ${JSON.stringify(value)}`)].join('\n'),
  );
  return [above, ...tables, ''].join('\n\n');
}

/** A webhook called `tickets`, with a cooldown of a day. */
export function webhookEntry(url: string, changes: Readonly<Record<string, Setting>> = {}) {
  return { name: 'tickets', type: 'webhook', url, signing_key: testSigningKey, cooldown: '24h', ...changes };
}

/** The receivers that a notifier would open for such a file. */
export async function openTestReceivers(toml: string, clock: Clock): Promise<readonly Receiver[]> {
  const loaded = loadConfig(notificationServiceOptions, { env: {}, file: temporaryFile('notifier.toml', toml) });
  const lifecycle = new Lifecycle(clock);
  const settings = dependencySettings({ loaded, env: {} });
  return await openReceivers({ loaded, clock, telemetry: createSilentTelemetry(), lifecycle }, settings);
}
