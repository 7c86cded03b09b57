/** The notification service's part of the all-in-one process: its parts with the stand-ins in the place of real receivers, then the service. */
import type { Bus } from '../platform/bus/bus.ts';
import type { Clock } from '../platform/clock/clock.ts';
import type { Database } from '../platform/database/database.ts';
import type { Lifecycle } from '../platform/lifecycle/lifecycle.ts';
import type { Telemetry } from '../platform/telemetry/telemetry.ts';
import {
  type NotificationService,
  notificationServiceRole,
  startNotificationService,
} from '../services/notification-service/service.ts';
import type { Receivers } from './receivers.ts';
import { loadNotifierConfig } from './role-settings.ts';

export interface NotifierDependencies {
  readonly bus: Bus;
  readonly database: Database;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  readonly lifecycle: Lifecycle;
  readonly receivers: Receivers;
  readonly env: Readonly<Record<string, string | undefined>>;
}

export async function startNotifier(dependencies: NotifierDependencies): Promise<NotificationService> {
  const { bus, database, clock, telemetry, lifecycle, receivers, env } = dependencies;
  const { serviceLog, tokens } = receivers;
  const loaded = loadNotifierConfig(
    env,
    serviceLog === undefined || tokens === undefined
      ? {}
      : {
          'service_log.url': serviceLog.postUrl,
          'service_log.token_url': tokens.tokenUrl,
          'service_log.client_id': receivers.clientId,
          'service_log.client_secret': receivers.clientSecret,
        },
  );
  const parts = await notificationServiceRole.openParts({ loaded, env, clock, telemetry, lifecycle, database, bus });
  const settings = notificationServiceRole.settings(loaded.config, 'follow');
  return startNotificationService(settings, { database, telemetry, clock, ...parts });
}
