/** One invocation of the drop-in program: its flags and configuration, and what every operation needs. Made by `program.ts`. */
import { CcxError, errorCode, errorText } from '../../../encoding/ccx-error.ts';
import type { Clock } from '../../../platform/clock/clock.ts';
import type { ProcessInput } from '../../../platform/config/process-input.ts';
import { connectDatabase } from '../../../platform/database/connect-database.ts';
import type { Database } from '../../../platform/database/database.ts';
import type { Telemetry } from '../../../platform/telemetry/telemetry.ts';
import { storageUrl } from '../open-parts.ts';
import type { ServiceFlags } from './flags.ts';
import type { ProgramConfig } from './load-program-config.ts';

export const programName = 'ccx-notification-service';

export interface Program extends ProgramConfig {
  readonly env: ProcessInput['env'];
  readonly flags: ServiceFlags;
  readonly telemetry: Telemetry;
  readonly clock: Clock;
}

/** The notification database; nothing connects before the first statement. */
export function openDatabase({ config, loaded, clock }: Program): Database {
  return connectDatabase({
    ...(config['storage.url'] === ''
      ? { url: storageUrl(loaded.config, 'storage'), setting: 'storage.pg_host and its neighbours' }
      : { url: config['storage.url'], setting: 'storage.url' }),
    applicationName: programName,
    clock,
  });
}

/** What a log line says of a failure. */
export function failureFields(error: unknown): Readonly<Record<string, string>> {
  const hint = error instanceof CcxError ? error.hint : undefined;
  return { error: errorText(error), code: errorCode(error), ...(hint === undefined ? {} : { hint }) };
}
