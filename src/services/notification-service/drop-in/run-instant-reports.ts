/** One run of our service, as the drop-in program makes it. Loaded only where it runs. Source: notification-service.md 4, 16. */
import { errorCode } from '../../../encoding/ccx-error.ts';
import type { Database } from '../../../platform/database/database.ts';
import { Lifecycle, type RunningService } from '../../../platform/lifecycle/lifecycle.ts';
import { waitForSignal } from '../../../platform/lifecycle/run-role.ts';
import { failureFields } from '../../../platform/reference/reference-log.ts';
import { type Telemetry, telemetryOf } from '../../../platform/telemetry/telemetry.ts';
import { type NotificationServiceSettings, notificationServiceSettings } from '../config.ts';
import { notifierExitCode } from '../exit-codes.ts';
import { openNotificationDependencies } from '../open-dependencies.ts';
import type { Target } from '../ports.ts';
import { openDatabase } from './clean-up.ts';
import { type Program, programName } from './load-program-config.ts';

/** As far as one run asks for it of `startNotificationService`; handed in, so that whatever does not run it loads none of it. */
export type StartService = (
  settings: NotificationServiceSettings,
  dependencies: Pick<Program, 'clock'> & {
    readonly telemetry: Telemetry;
    readonly database: Database;
  } & Awaited<ReturnType<typeof openNotificationDependencies>>,
) => Promise<RunningService & { runOnce(): Promise<{ readonly nothingDeliveredTo: readonly string[] }> }>;

/** Resolves to the exit code. A signal ends the run early and in order: what is not sent then is sent by the next one. */
export async function runInstantReports(program: Program, startService: StartService): Promise<number> {
  const { log, clock } = program;
  const lifecycle = new Lifecycle(clock);
  const signalled = waitForSignal();
  let exitCode = 0;
  try {
    const running = run(program, lifecycle, startService);
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

async function run(program: Program, lifecycle: Lifecycle, startService: StartService): Promise<void> {
  const { loaded, env, log, clock, clowderCa } = program;
  const telemetry = telemetryOf(programName, log);
  const database = openDatabase(program);
  lifecycle.defer('database', () => database.close());
  const dependencies = await openNotificationDependencies({
    ...{ loaded, env, clock, telemetry, lifecycle, database },
    brokerCa: clowderCa,
    mayMakeTopic: true,
  });
  const settings = notificationServiceSettings(loaded.config, 'once');
  const policies = {
    'notification-backend': { ...settings.policies['notification-backend'], negativeCooldown: 'none' },
    'service-log': { ...settings.policies['service-log'], negativeCooldown: 'none' },
  } as const;
  const service = await startService(
    { ...settings, policies, reportsOf: 'anybody' },
    { database, telemetry, clock, ...dependencies },
  );
  lifecycle.defer(service.name, () => service.stop());
  const summary = await service.runOnce();
  if (summary.nothingDeliveredTo.includes('notification-backend')) await requireTopic(dependencies.targets);
}

async function requireTopic(targets: readonly Target[]): Promise<void> {
  const target = targets.find(({ name }) => name === 'notification-backend');
  await target?.check().catch((error: unknown) => {
    if (errorCode(error) === 'BUS_TOPIC_UNKNOWN') throw error;
  });
}
