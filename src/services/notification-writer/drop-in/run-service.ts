/**
 * What of the drop-in program needs brokers, loaded only where it runs: their check, and the service mode: the configuration in the log, metrics first, then the same service as `ccx writer` on the reference's
 * brokers. As in the reference it starts and waits where the database cannot be used, and a metrics address that is taken is logged and
 * otherwise ignored. Source: notification-writer.md 3.1.
 */
import { CcxError, errorText } from '../../../encoding/ccx-error.ts';
import type { BusSettings } from '../../../platform/bus/bus-options.ts';
import { openBus } from '../../../platform/bus/open-bus.ts';
import { connectDatabase } from '../../../platform/database/connect-database.ts';
import { certificateEvents } from '../../../platform/http/operations-server.ts';
import { publicReadiness } from '../../../platform/lifecycle/health.ts';
import type { Lifecycle, RunningService } from '../../../platform/lifecycle/lifecycle.ts';
import { runRole } from '../../../platform/lifecycle/run-role.ts';
import { storageDatabase, withAuthority } from '../../../platform/reference/broker-settings.ts';
import { type Telemetry, telemetryOf } from '../../../platform/telemetry/telemetry.ts';
import { noneAsEmpty, notificationWriterSettings, writerBusSettings, writerExitCode } from '../config.ts';
import { createMetricsServer } from '../metrics-server.ts';
import { startNotificationWriter } from '../service.ts';
import { type Program, programName } from './load-program-config.ts';
import { showConfiguration } from './show-configuration.ts';

/** What Go listens on when the address is empty. */
const metricsAddressDefault = ':80';

/** Resolves to the exit code, after a signal or at once where the broker is disabled. */
export async function runService(program: Program, reportFailure: (error: unknown) => void): Promise<number> {
  const { config, log, clock } = program;
  showConfiguration(config, log);
  if (config['metrics.namespace'] !== '')
    log.info({ namespace: config['metrics.namespace'] }, 'Setting metrics namespace');
  notificationWriterSettings(config);
  if (!config['broker.enabled']) {
    log.info('Broker is disabled, not starting it');
    return 0;
  }
  const telemetry = telemetryOf(programName, log);
  return await runRole({
    telemetry,
    clock,
    exitCodeOf: writerExitCode,
    reportFailure,
    start: (lifecycle) => start(program, telemetry, lifecycle),
  });
}

async function start(program: Program, telemetry: Telemetry, lifecycle: Lifecycle): Promise<void> {
  const { config, clock } = program;
  let readiness: RunningService['readiness'] = async () => ({ ready: false, reasons: ['bus: not connected yet'] });
  await startMetrics(program, telemetry, lifecycle, () => readiness());
  const bus = await openBus(programBus(program), { clock, telemetry });
  lifecycle.defer('bus', () => bus.close());
  await bus.check();
  const database = connectDatabase({ ...storageDatabase(program), applicationName: programName, clock });
  lifecycle.defer('database', () => database.close());
  const settings = { ...notificationWriterSettings(config), waitsForDatabase: true };
  const writer = await startNotificationWriter(settings, { bus, database, telemetry, clock });
  lifecycle.defer(writer.name, () => writer.stop());
  readiness = () => writer.readiness();
}

async function startMetrics(
  { config, clock }: Program,
  telemetry: Telemetry,
  lifecycle: Lifecycle,
  readiness: RunningService['readiness'],
): Promise<void> {
  const address = config['metrics.address'] === '' ? metricsAddressDefault : noneAsEmpty(config['metrics.address']);
  if (address === '') return;
  try {
    const answer = publicReadiness({ readiness, log: telemetry.log, clock });
    const server = createMetricsServer({
      ...{ address, registry: telemetry.registry, readiness: answer, clock },
      tls: { certFile: config['tls.cert_file'], keyFile: config['tls.key_file'] },
      certificate: certificateEvents(telemetry.log),
    });
    lifecycle.defer('metrics server', () => server.close());
    telemetry.log.info({ 'HTTP server address': address, url: await server.listen() }, 'Starting HTTP server');
  } catch (error) {
    telemetry.log.error({ error: errorText(error) }, 'Listen and serve');
  }
}

/** They may make the topic, as for the original; Clowder brings their certificate itself, not a path to it. Throws `BUS_SECURITY`. */
function programBus({ config, clowderCa }: Program): BusSettings {
  const bus = writerBusSettings(config);
  if (bus.kind !== 'kafka') return bus;
  return { ...bus, mayMakeTopics: true, security: withAuthority(bus.security, clowderCa) };
}

/** Throws `BUS_NO_BROKER` when none answers. The first that answers is enough. */
export async function checkBrokers(program: Program): Promise<void> {
  const { log, clock } = program;
  const settings = programBus(program);
  const telemetry = telemetryOf(programName, log);
  const brokers = settings.kind === 'kafka' ? settings.brokers : [];
  log.info('Checking connection to Kafka');
  log.info({ 'Broker addresses': brokers.join(',') });
  for (const address of brokers) {
    const bus = await openBus({ ...settings, brokers: [address] } as BusSettings, { clock, telemetry });
    try {
      await bus.check();
      log.info({ address }, 'Broker connection OK');
      return;
    } catch (error) {
      log.error({ address, error: errorText(error) }, 'Connection to broker');
    } finally {
      await bus.close();
    }
  }
  throw new CcxError("Couldn't connect to any of the provided brokers", {
    code: 'BUS_NO_BROKER',
    category: 'connection',
    hint: 'check broker.addresses and the security settings beside it',
  });
}
