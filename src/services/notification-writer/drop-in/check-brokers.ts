/** `--check-kafka`: whether one of the brokers can be reached, with the service's own security settings. Source: notification-writer.md 1.5. */
import { CcxError, errorText } from '../../../encoding/ccx-error.ts';
import type { BusSettings } from '../../../platform/bus/bus-options.ts';
import { openBus } from '../../../platform/bus/open-bus.ts';
import type { Clock } from '../../../platform/clock/clock.ts';
import type { Telemetry } from '../../../platform/telemetry/telemetry.ts';

/** Throws `BUS_NO_BROKER` when none answers. The first that answers is enough. */
export async function checkBrokers(
  settings: BusSettings,
  { telemetry, clock }: { readonly telemetry: Telemetry; readonly clock: Clock },
): Promise<void> {
  const { log } = telemetry;
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
