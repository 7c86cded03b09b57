/**
 * One run of the notification service with the drop-in program's configuration: the same service as `ccx notifier --once`. Failing
 * clusters, deliveries and pushes do not change the exit code, as in the reference; a topic that is missing and that brokers do not make
 * does, because no later run would end better. Source: notification-service.md 4.
 */
import { errorCode } from '../../../encoding/ccx-error.ts';
import { Lifecycle } from '../../../platform/lifecycle/lifecycle.ts';
import { waitForSignal } from '../../../platform/lifecycle/run-role.ts';
import { notificationServiceSettings } from '../config.ts';
import { notifierExitCode } from '../exit-codes.ts';
import { openNotificationParts } from '../open-parts.ts';
import type { Target } from '../ports.ts';
import { startNotificationService } from '../service.ts';
import { failureFields, openDatabase, type Program } from './program-context.ts';

/** Resolves to the exit code. A signal ends the run early and in order: what is not sent then is sent by the next one. */
export async function runInstantReports(program: Program): Promise<number> {
  const { telemetry, clock } = program;
  const { log } = telemetry;
  const lifecycle = new Lifecycle(clock);
  const signalled = waitForSignal();
  let exitCode = 0;
  try {
    const running = run(program, lifecycle);
    const signal = await Promise.race([running.then(() => undefined), signalled]);
    if (signal !== undefined) {
      log.info({ signal }, 'stopping');
      running.catch(() => undefined);
    }
  } catch (error) {
    exitCode = notifierExitCode(error);
    log.error(failureFields(error), failureMessage(error));
  }
  const { failed } = await lifecycle.stop();
  for (const { name, error } of failed) log.error({ step: name, error }, 'did not stop cleanly');
  return exitCode;
}

/** In the reference's words where it has some; published tests look for the first. */
function failureMessage(error: unknown): string {
  const code = errorCode(error);
  if (code === 'NO_TARGET') return 'No known event destination configured. Aborting.';
  // The producer was there.
  if (code === 'BUS_TOPIC_UNKNOWN') return 'Operation failed';
  return code.startsWith('BUS_') ? "Couldn't initialize Kafka producer with the provided config." : 'Operation failed';
}

async function run(program: Program, lifecycle: Lifecycle): Promise<void> {
  const { loaded, env, clock, telemetry, clowderCa } = program;
  const database = openDatabase(program);
  lifecycle.defer('database', () => database.close());
  const parts = await openNotificationParts({
    ...{ loaded, env, clock, telemetry, lifecycle, database },
    ...(clowderCa === undefined ? {} : { brokerCa: clowderCa }),
    mayMakeTopic: true,
  });
  const settings = notificationServiceSettings(loaded.config, 'once');
  const policies = {
    'notification-backend': { ...settings.policies['notification-backend'], negativeCooldown: 'none' },
    'service-log': { ...settings.policies['service-log'], negativeCooldown: 'none' },
  } as const;
  const service = await startNotificationService(
    { ...settings, policies, reportsOf: 'anybody' },
    { database, telemetry, clock, ...parts },
  );
  lifecycle.defer(service.name, () => service.stop());
  const summary = await service.runOnce();
  if (summary.nothingDeliveredTo.includes('notification-backend')) await requireTopic(parts.targets);
}

async function requireTopic(targets: readonly Target[]): Promise<void> {
  const target = targets.find(({ name }) => name === 'notification-backend');
  await target?.check().catch((error: unknown) => {
    if (errorCode(error) === 'BUS_TOPIC_UNKNOWN') throw error;
  });
}
