/** A loaded configuration as lines for people: every key, its value and where it came from; secrets only as set or not set. */
import type { LoadedConfig } from './load-config.ts';
import { environmentName, type OptionTable } from './options.ts';

export interface ConfigLine {
  readonly key: string;
  readonly value: string;
  readonly origin: string;
  readonly env: string;
}

export function describeConfig<Table extends OptionTable>(table: Table, loaded: LoadedConfig<Table>): ConfigLine[] {
  const values: Readonly<Record<string, unknown>> = loaded.config;
  return Object.entries(table.options).map(([key, spec]) => ({
    key,
    value: spec.secret === true ? (isSet(values[key]) ? '(set)' : '(not set)') : JSON.stringify(values[key]),
    origin: loaded.origin[key] ?? 'default',
    env: environmentName(table, key),
  }));
}

function isSet(value: unknown): boolean {
  return value !== undefined && value !== '' && !(Array.isArray(value) && value.length === 0);
}
