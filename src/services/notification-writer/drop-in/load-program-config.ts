/**
 * The drop-in program's configuration: the reference's file search, environment names and zero values, Clowder above all of them, and our
 * additional keys. Environment variables count whether or not the file lists their keys, which the reference does not do (Q4).
 * Source: notification-writer.md 2.
 */
import type { Logger } from 'pino';
import { type BusSettings, busOptions } from '../../../platform/bus/bus-options.ts';
import type { Clock } from '../../../platform/clock/clock.ts';
import { defineOptions, type OptionSpec } from '../../../platform/config/options.ts';
import type { ProcessInput } from '../../../platform/config/process-input.ts';
import {
  findReferenceConfig,
  loadReferenceConfig,
  type ReferenceConfigFile,
  zeroValues,
} from '../../../platform/reference/reference-config.ts';
import { type NotificationWriterConfig, notificationWriterOptions, referenceOptions } from '../config.ts';
import type { WriterFlags } from './flags.ts';

export const programName = 'ccx-notification-writer';

const configFileVariable = 'CCX_NOTIFICATION_WRITER_CONFIG_FILE';

const { options: roleOptions } = notificationWriterOptions;

/** What nothing sets is empty, zero and false in the reference, and the service starts at the newest message. */
const programOptions = defineOptions({
  name: 'ccx-notification-writer',
  envPrefix: 'CCX_NOTIFICATION_WRITER',
  options: {
    ...Object.fromEntries(
      Object.entries<OptionSpec>(roleOptions).map(([key, spec]) => [
        key,
        Object.hasOwn(referenceOptions, key) ? { ...spec, default: zeroValues[spec.type] } : spec,
      ]),
    ),
    'broker.start_at': { ...roleOptions['broker.start_at'], default: 'latest' },
    // The database is what the reference's keys name, whatever else the environment holds.
    'storage.url': { ...roleOptions['storage.url'], env: 'CCX_NOTIFICATION_WRITER__STORAGE__URL' },
    'bus.kind': { ...busOptions['bus.kind'], default: 'kafka' },
    'bus.brokers': { ...busOptions['bus.brokers'], default: [] },
  } as Readonly<Record<string, OptionSpec>>,
});

export interface ProgramConfig {
  readonly config: NotificationWriterConfig;
  readonly warnings: readonly string[];
  /** For standard output, before anything else. */
  readonly lines: readonly string[];
  /** The brokers' certificate authority as Clowder gives it; PEM. */
  readonly clowderCa: string | undefined;
}

export function findProgramConfig(input: ProcessInput, currentFolder: string): ReferenceConfigFile {
  return findReferenceConfig(input.env[configFileVariable], currentFolder);
}

/** Throws `CONFIG_*`. Clowder's values beat environment and file. */
export async function loadProgramConfig({ env }: ProcessInput, file: ReferenceConfigFile): Promise<ProgramConfig> {
  const { loaded, lines, clowderCa } = await loadReferenceConfig(programOptions, { env, file, section: 'broker' });
  // The table is put together at run time, so its literal types are lost; its keys are those of the role's table.
  return { config: loaded.config as NotificationWriterConfig, warnings: loaded.warnings, lines, clowderCa };
}

/** One invocation of the drop-in program: its flags and configuration, and what every operation needs. Made by `operations.ts`. */
export interface Program extends ProgramConfig {
  readonly flags: WriterFlags;
  readonly log: Logger;
  readonly clock: Clock;
  /** Throws `BUS_SECURITY` where the broker's settings cannot be honoured, so that operations without a broker do not need them. */
  readonly bus: () => BusSettings;
}
