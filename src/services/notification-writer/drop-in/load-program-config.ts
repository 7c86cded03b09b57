/**
 * The drop-in program's configuration: the reference's file search, environment names and zero values, Clowder above all of them, and our
 * additional keys. Environment variables count whether or not the file lists their keys, which the reference does not do (Q4).
 * Source: notification-writer.md 2.
 */
import { type BusSettings, busOptions } from '../../../platform/bus/bus-options.ts';
import type { Clock } from '../../../platform/clock/clock.ts';
import { loadConfig } from '../../../platform/config/load-config.ts';
import { defineOptions, type OptionSpec, type OptionType } from '../../../platform/config/options.ts';
import type { ProcessInput } from '../../../platform/config/process-input.ts';
import { type Clowder, type ClowderDocument, readClowder } from '../../../platform/reference/clowder.ts';
import { findReferenceConfig, type ReferenceConfigFile } from '../../../platform/reference/reference-config.ts';
import type { Telemetry } from '../../../platform/telemetry/telemetry.ts';
import { additionalOptions, type NotificationWriterConfig, referenceOptions } from '../config.ts';
import type { WriterFlags } from './flags.ts';

export const configFileVariable = 'CCX_NOTIFICATION_WRITER_CONFIG_FILE';

const zeroValues: { readonly [Type in OptionType]: OptionSpec['default'] } = {
  string: '',
  integer: 0,
  boolean: false,
  duration: 0,
  bytes: 0,
  list: [],
};

/** What nothing sets is empty, zero and false in the reference, and the service starts at the newest message. */
const programOptions = defineOptions({
  name: 'ccx-notification-writer',
  envPrefix: 'CCX_NOTIFICATION_WRITER',
  options: {
    ...Object.fromEntries(
      Object.entries<OptionSpec>(referenceOptions).map(([key, spec]) => [
        key,
        { ...spec, default: zeroValues[spec.type] },
      ]),
    ),
    ...additionalOptions,
    'broker.start_at': { ...additionalOptions['broker.start_at'], default: 'latest' },
    // The database is what the reference's keys name, whatever else the environment holds.
    'storage.url': { ...additionalOptions['storage.url'], env: 'CCX_NOTIFICATION_WRITER__STORAGE__URL' },
    ...busOptions,
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
export function loadProgramConfig(input: ProcessInput, file: ReferenceConfigFile): ProgramConfig {
  const sources = { env: input.env, ...(file.path === undefined ? {} : { file: file.path }) };
  const first = loadConfig(programOptions, sources);
  const clowder = readClowder(input.env['ACG_CONFIG']);
  if (clowder.document === undefined) return { ...asWriterConfig(first), lines: clowder.lines, clowderCa: undefined };
  const overrides = clowderOverrides(clowder.document, String(first.config['broker.topic']));
  const second = loadConfig(programOptions, { ...sources, flags: overrides.values });
  return { ...asWriterConfig(second), lines: [...clowder.lines, ...overrides.notices], clowderCa: overrides.ca };
}

/** The table is put together at run time, so its literal types are lost; its keys are those of the role's table. */
function asWriterConfig(loaded: { readonly config: object; readonly warnings: readonly string[] }) {
  return { config: loaded.config as NotificationWriterConfig, warnings: loaded.warnings };
}

interface ClowderOverrides {
  readonly values: Record<string, string>;
  readonly notices: readonly string[];
  readonly ca: string | undefined;
}

/** Source: notification-writer.md 2.6, row by row. Of an incomplete broker the parts that are there count (Q6). */
export function clowderOverrides(document: NonNullable<Clowder['document']>, topic: string): ClowderOverrides {
  const notices: string[] = [];
  const values: Record<string, string> = {};
  const ca = document.kafka == null ? undefined : brokerOverrides(document.kafka, topic, { values, notices });
  if (document.kafka == null) notices.push('Clowder has no Kafka configuration');
  if (document.database == null) notices.push('Clowder has no storage section');
  else {
    const { name, hostname, port, username, password } = document.database;
    Object.assign(values, {
      'storage.pg_db_name': name,
      'storage.pg_host': hostname,
      'storage.pg_port': String(port),
      'storage.pg_username': username,
      'storage.pg_password': password,
    });
  }
  return { values, notices, ca };
}

function brokerOverrides(
  { brokers, topics }: NonNullable<ClowderDocument['kafka']>,
  topic: string,
  { values, notices }: { readonly values: Record<string, string>; readonly notices: string[] },
): string | undefined {
  const [first] = brokers;
  let ca: string | undefined;
  if (first === undefined) notices.push('Clowder has no broker configurations');
  else {
    values['broker.addresses'] = brokers
      .map(({ hostname, port }) => (port == null ? hostname : `${hostname}:${port}`))
      .join(',');
    if (first.authtype != null) {
      notices.push('kafka is configured to use authentication');
      if (first.sasl == null) notices.push('SASL configuration is missing');
      else {
        const { sasl, securityProtocol, cacert } = first;
        if (sasl.username != null) values['broker.sasl_username'] = sasl.username;
        if (sasl.password != null) values['broker.sasl_password'] = sasl.password;
        if (sasl.saslMechanism != null) values['broker.sasl_mechanism'] = sasl.saslMechanism;
        if (securityProtocol != null) values['broker.security_protocol'] = securityProtocol;
        ca = cacert ?? undefined;
      }
    }
  }
  const mapped = topics.find(({ requestedName }) => requestedName === topic);
  if (mapped === undefined) notices.push(`no mapping for topic ${topic}`);
  else values['broker.topic'] = mapped.name;
  return ca;
}

/** One invocation of the drop-in program: its flags and configuration, and what every operation needs. Made by `program.ts`. */
export interface Program extends ProgramConfig {
  readonly flags: WriterFlags;
  readonly telemetry: Telemetry;
  readonly clock: Clock;
  /** Throws `BUS_SECURITY` where the broker's settings cannot be honoured, so that operations without a broker do not need them. */
  readonly bus: () => BusSettings;
}
