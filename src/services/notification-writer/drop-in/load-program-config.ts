/**
 * The drop-in program's configuration: the reference's file search, environment names and zero values, Clowder above all of them, and our
 * additional keys. Environment variables count whether or not the file lists their keys, which the reference does not do (Q4).
 * Source: notification-writer.md 2.
 */
import type { LoadedConfig } from '../../../platform/config/load-config.ts';
import { type OpenProgram, programTable, zeroValues } from '../../../platform/reference/reference-config.ts';
import { notificationWriterOptions, referenceOptions } from '../config.ts';
import type { WriterFlags } from './flags.ts';

export const programName = 'ccx-notification-writer';

/** What nothing sets is empty, zero and false in the reference, and the service starts at the newest message. */
export const programOptions = programTable(notificationWriterOptions, programName, (key, spec) => {
  if (key === 'broker.start_at') return { ...spec, default: 'latest' };
  return Object.hasOwn(referenceOptions, key) ? { ...spec, default: zeroValues[spec.type] } : spec;
});

/** The reference works without a Sentry that can be reached, so that switching it on stops nothing here either. */
export function withoutSentry({ config, secretFiles, warnings }: LoadedConfig<typeof programOptions>) {
  const key = 'logging.logging_to_sentry_enabled';
  if (!config[key]) return { config, secretFiles, warnings };
  const warning = `${key} is not supported: nothing goes to Sentry; alert on log lines of level error, or on the metrics`;
  return { config: { ...config, [key]: false }, secretFiles, warnings: [...warnings, warning] };
}

/** One invocation of the drop-in program: its flags and configuration, and what every operation needs. Made by `operations.ts`. */
export type Program = OpenProgram & ReturnType<typeof withoutSentry> & { readonly flags: WriterFlags };
