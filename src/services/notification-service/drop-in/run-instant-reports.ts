/** One run of our service, as the drop-in program makes it. Loaded only where it runs. Source: notification-service.md 4, 16. */
import { errorCode } from '../../../encoding/ccx-error.ts';
import { Lifecycle } from '../../../platform/lifecycle/lifecycle.ts';
import { waitForSignal } from '../../../platform/lifecycle/run-role.ts';
import { failureFields } from '../../../platform/reference/reference-log.ts';
import { telemetryOf } from '../../../platform/telemetry/telemetry.ts';
import { notificationServiceSettings } from '../config.ts';
import { notifierExitCode } from '../exit-codes.ts';
import { openNotificationDependencies } from '../open-dependencies.ts';
import type { Target } from '../ports.ts';
import { openDatabase } from './clean-up.ts';
import { type Program, programName } from './load-program-config.ts';

/** Resolves to the exit code. A signal ends the run early and in order: what is not sent then is sent by the next one. */
export async function runInstantReports(program: Program): Promise<number> {
  const { log, clock } = program;
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
  // Where only the topic is missing the producer was there.
  if (!code.startsWith('BUS_') || code === 'BUS_TOPIC_UNKNOWN') return 'Operation failed';
  return "Couldn't initialize Kafka producer with the provided config.";
}

/**
 * `-dry-run`, which is ours: what the run would send, one JSON object per line, and nothing is sent, written or deleted. Resolves to the
 * exit code of the run that could not be done.
 */
export async function printInstantReports(program: Program): Promise<number> {
  const { log, clock, flags, clowderCa: brokerCa } = program;
  const { printPreview } = await import('../print-preview.ts');
  const database = await openDatabase(program);
  const clusters = flags.cluster === undefined ? undefined : [flags.cluster];
  try {
    const opening = { ...program, telemetry: telemetryOf(programName, log), clock, database, brokerCa };
    await printPreview(opening, { settings: instantReportsSettings(program), clusters, json: true });
    return 0;
  } catch (error) {
    log.error(failureFields(error), failureMessage(error));
    return notifierExitCode(error);
  } finally {
    await database.close();
  }
}

function instantReportsSettings({ loaded }: Program) {
  const settings = notificationServiceSettings(loaded.config, 'once');
  const policies = {
    'notification-backend': { ...settings.policies['notification-backend'], negativeCooldown: 'none' },
    'service-log': { ...settings.policies['service-log'], negativeCooldown: 'none' },
  } as const;
  return { ...settings, policies, reportsOf: 'anybody' } as const;
}

async function run(program: Program, lifecycle: Lifecycle): Promise<void> {
  const { log, clock, clowderCa: brokerCa } = program;
  const telemetry = telemetryOf(programName, log);
  const database = await openDatabase(program);
  lifecycle.defer('database', () => database.close());
  const opening = { ...program, telemetry, lifecycle, database, brokerCa, mayMakeTopic: true };
  const dependencies = await openNotificationDependencies(opening);
  const { startNotificationService } = await import('../service.ts');
  const service = await startNotificationService(instantReportsSettings(program), {
    database,
    telemetry,
    clock,
    ...dependencies,
  });
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
