/**
 * The drop-in program's configuration: the reference's file search, environment names and zero values, Clowder above all of them, and our
 * additional keys. An environment variable counts only for a key that the file lists; without a file all but the lists do, which
 * published tests rely on. Source: notification-service.md 3.
 */

import type { LoadedConfig } from '../../../platform/config/load-config.ts';
import { defineOptions, type OptionSpec } from '../../../platform/config/options.ts';
import { type OpenProgram, programTable, zeroValues } from '../../../platform/reference/reference-config.ts';
import { loggingOptions } from '../../../platform/reference/reference-log.ts';
import { notificationServiceOptions } from '../config.ts';
import type { ServiceFlags } from './flags.ts';

export const programName = 'ccx-notification-service';

/** Keys that the reference does not have: they keep their defaults, and their environment variables always count. */
const ours =
  /^(storage\.url|dependencies\.content_(folder|first|exceptions)|cleaner\.enabled|(kafka_broker|service_log)\.cluster_cap|service_log\.send_resolved|(disabled_rules|follow|delivery|first_run|retention|operations|bus|vault)\.)/;
/** What the reference reads and never uses; zero would stop ours. */
const zeroIsUnset: ReadonlySet<string> = new Set(['kafka_broker.timeout']);
/** What changes what the reference does, and so is off where nothing sets it: a first run has no cap there. */
const offByDefault: ReadonlySet<string> = new Set(['first_run.messages', 'disabled_rules.ignore']);
/** Numbers of the reference that may be negative there; each then is as good as not set. */
const negativeIsUnset = [
  'kafka_broker.timeout',
  'service_log.timeout',
  'metrics.retries',
  'metrics.retry_after',
  'metrics.gateway_time_between_push',
] as const;

function programSpec(key: string, spec: OptionSpec): OptionSpec {
  if (offByDefault.has(key)) return { ...spec, default: zeroValues[spec.type] };
  if (ours.test(key)) return spec;
  // Which drivers there are is for the operation to say: a wrong one is a storage error.
  const { choices: _, flag: __, env: ___, ...plain } = spec;
  const { min: ____, ...unbounded } = plain;
  return {
    ...((negativeIsUnset as readonly string[]).includes(key) ? unbounded : plain),
    default: zeroValues[spec.type],
    envCounts: spec.type === 'list' ? 'in-file' : 'known-key',
  };
}

/** The role's table and the keys that only this program reads. */
export const programOptions = programTable(
  defineOptions({
    ...notificationServiceOptions,
    options: { ...notificationServiceOptions.options, ...loggingOptions },
  }),
  programName,
  programSpec,
);

/**
 * `config` is as it was configured, zero values as the reference has them, and what `--show-configuration` shows; a run works with `loaded`,
 * where numbers that are negative are as good as not set, with one warning for each, which names the setting. Lines for people are for
 * standard error.
 */
export function withoutNegatives(read: LoadedConfig<typeof programOptions>) {
  const used: { -readonly [Key in keyof typeof read.config]: (typeof read.config)[Key] } = { ...read.config };
  const warnings = [...read.warnings];
  for (const key of negativeIsUnset) {
    if (used[key] < 0) warnings.push(`${key} is negative; it is taken as not set`);
    if (used[key] <= 0) used[key] = zeroIsUnset.has(key) ? notificationServiceOptions.options[key].default : 0;
  }
  const config = { ...read.config, 'logging.use_stderr': used['logging.use_stderr'] || used['logging.debug'] };
  return { loaded: { ...read, config: used, warnings }, config, warnings };
}

/** One invocation of the drop-in program: its flags and configuration, and what every operation needs. Made by `operations.ts`. */
export type Program = OpenProgram & ReturnType<typeof withoutNegatives> & { readonly flags: ServiceFlags };
