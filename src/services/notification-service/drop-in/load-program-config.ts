/**
 * The drop-in program's configuration: the reference's file search, environment names and zero values, Clowder above all of them, and our
 * additional keys. An environment variable counts only for a key that the file lists; without a file all but the lists do, which
 * published tests rely on. Source: notification-service.md 3.
 */

import type { Logger } from 'pino';
import { busOptions } from '../../../platform/bus/bus-options.ts';
import type { Clock } from '../../../platform/clock/clock.ts';
import type { LoadedConfig } from '../../../platform/config/load-config.ts';
import { type ConfigOf, defineOptions, type OptionSpec, type OptionTable } from '../../../platform/config/options.ts';
import type { ProcessInput } from '../../../platform/config/process-input.ts';
import {
  findReferenceConfig,
  loadReferenceConfig,
  type ReferenceConfigFile,
  zeroValues,
} from '../../../platform/reference/reference-config.ts';
import { notificationServiceOptions } from '../config.ts';
import type { ServiceFlags } from './flags.ts';

export const programName = 'ccx-notification-service';

const configFileVariable = 'CCX_NOTIFICATION_SERVICE_CONFIG_FILE';

const accepted = 'Accepted for old configurations; without effect';

/** Keys of the reference that only this program reads. */
const loggingOptions = {
  'logging.debug': { type: 'boolean', default: false, description: 'Lines for people, on standard error' },
  'logging.use_stderr': { type: 'boolean', default: false, description: 'Log to standard error' },
  'logging.logging_to_cloud_watch_enabled': { type: 'boolean', default: false, description: 'Not supported' },
  'logging.logging_to_sentry_enabled': { type: 'boolean', default: false, description: 'Not supported' },
  'cloudwatch.aws_access_id': { type: 'string', default: '', description: accepted },
  'cloudwatch.aws_secret_key': { type: 'string', default: '', secret: true, description: accepted },
  'cloudwatch.aws_session_token': { type: 'string', default: '', secret: true, description: accepted },
  'cloudwatch.aws_region': { type: 'string', default: '', description: accepted },
  'cloudwatch.log_group': { type: 'string', default: '', description: accepted },
  'cloudwatch.stream_name': { type: 'string', default: '', description: accepted },
  'cloudwatch.debug': { type: 'boolean', default: false, description: accepted },
  'sentry.dsn': { type: 'string', default: '', secret: true, description: accepted },
  'sentry.environment': { type: 'string', default: '', description: accepted },
} as const satisfies Record<string, OptionSpec>;

/** Keys that the reference does not have: they keep their defaults, and their environment variables always count. */
const ours =
  /^(storage\.url|dependencies\.content_folder|cleaner\.enabled|(disabled_rules|follow|delivery|first_run|retention|operations|bus|vault)\.)/;
/** What the reference reads and never uses; zero would stop ours. */
const zeroIsUnset: ReadonlySet<string> = new Set(['kafka_broker.timeout']);
/** Ours that changes what the reference does, and so is off where nothing sets it: a first run has no cap there. */
const offByDefault: ReadonlySet<string> = new Set(['first_run.messages']);
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

const programOptions = defineOptions({
  name: 'ccx-notification-service',
  envPrefix: 'CCX_NOTIFICATION_SERVICE',
  options: {
    ...Object.fromEntries(
      Object.entries<OptionSpec>({ ...notificationServiceOptions.options, ...loggingOptions }).map(([key, spec]) => [
        key,
        programSpec(key, spec),
      ]),
    ),
    // The database is what the reference's keys name, whatever else the environment holds.
    'storage.url': {
      ...notificationServiceOptions.options['storage.url'],
      env: 'CCX_NOTIFICATION_SERVICE__STORAGE__URL',
    },
    'disabled_rules.ignore': { ...notificationServiceOptions.options['disabled_rules.ignore'], default: false },
    'bus.kind': { ...busOptions['bus.kind'], default: 'kafka' },
    'bus.brokers': { ...busOptions['bus.brokers'], default: [] },
  } as Readonly<Record<string, OptionSpec>>,
});

/** The role's table and the keys that only this program reads. */
interface ProgramTable extends OptionTable {
  readonly options: (typeof notificationServiceOptions)['options'] & typeof loggingOptions;
}

export interface ProgramConfig {
  /** What a run works with. */
  readonly loaded: LoadedConfig<typeof notificationServiceOptions>;
  /** As it was configured, zero values as the reference has them; what `--show-configuration` shows. */
  readonly config: ConfigOf<ProgramTable>;
  /** For standard output, before anything else. */
  readonly lines: readonly string[];
  /** The brokers' certificate authority as Clowder gives it; PEM. */
  readonly clowderCa: string | undefined;
}

export function findProgramConfig(input: ProcessInput, currentFolder: string): ReferenceConfigFile {
  return findReferenceConfig(input.env[configFileVariable], currentFolder);
}

/** Throws `CONFIG_*`. Clowder's values beat environment and file; `ignoreDisabledRules` is the flag. */
export async function loadProgramConfig(
  { env }: ProcessInput,
  file: ReferenceConfigFile,
  ignoreDisabledRules: boolean,
): Promise<ProgramConfig> {
  const flags: Record<string, string> = ignoreDisabledRules ? { 'disabled_rules.ignore': 'true' } : {};
  const read = await loadReferenceConfig(programOptions, { env, file, section: 'kafka_broker', flags });
  // The table is put together at run time, so its literal types are lost; its keys are those of the role's table and ours above.
  return {
    ...read,
    loaded: withoutNegatives(read.loaded) as unknown as ProgramConfig['loaded'],
    config: read.loaded.config as unknown as ProgramConfig['config'],
  };
}

/** One warning for each, which names the setting. */
function withoutNegatives(loaded: LoadedConfig<typeof programOptions>): LoadedConfig<typeof programOptions> {
  const config = { ...loaded.config };
  const warnings = [...loaded.warnings];
  for (const key of negativeIsUnset) {
    const value = Number(config[key]);
    if (value < 0) warnings.push(`${key} is negative; it is taken as not set`);
    if (value <= 0) config[key] = zeroIsUnset.has(key) ? notificationServiceOptions.options[key].default : 0;
  }
  return { ...loaded, config, warnings };
}

/** One invocation of the drop-in program: its flags and configuration, and what every operation needs. Made by `operations.ts`. */
export interface Program extends ProgramConfig {
  readonly env: ProcessInput['env'];
  readonly flags: ServiceFlags;
  readonly log: Logger;
  readonly clock: Clock;
}
