/** What the embedded bus says about its storage: one function per event that a person should find in the log. */
import { errorFields } from '../../../encoding/ccx-error.ts';
import type { Telemetry } from '../../telemetry/telemetry.ts';

export function segmentsDropped(
  telemetry: Telemetry,
  dropped: { readonly topic: string; readonly segments: number; readonly bytes: number },
): void {
  telemetry.log.info(dropped, 'bus: retention dropped segments');
}

export function unreadRecordsDropped(
  telemetry: Telemetry,
  dropped: { readonly topic: string; readonly group: string; readonly records: string },
): void {
  telemetry.log.error(dropped, 'bus: retention is dropping records that a group has not read');
}

export function retentionFailed(telemetry: Telemetry, topic: string | undefined, error: unknown): void {
  telemetry.log.warn({ topic, ...errorFields(error) }, 'bus: retention could not run, trying again');
}

export function hintsUnavailable(telemetry: Telemetry, error: unknown): void {
  telemetry.log.warn(errorFields(error), 'bus: LISTEN is not available, new records are found by polling only');
}
