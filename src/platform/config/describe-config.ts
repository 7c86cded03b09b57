/** A loaded configuration as lines for people: every key, its value and where it came from; secrets only as set or not set. */
import type { LoadedConfig } from './load-config.ts';
import { environmentName, type ListSpec, type OptionSpec, type OptionTable } from './options.ts';
import { formatDuration } from './parse-value.ts';

interface ConfigLine {
  readonly key: string;
  readonly value: string;
  readonly origin: string;
  /** Empty where no environment variable counts. */
  readonly env: string;
}

export function describeConfig<Table extends OptionTable>(table: Table, loaded: LoadedConfig<Table>): ConfigLine[] {
  const values: Readonly<Record<string, unknown>> = loaded.config;
  const options = Object.entries(table.options).map(([key, spec]) => ({
    key,
    value: shown(spec, values[key]),
    origin: loaded.origin[key] ?? 'default',
    env: environmentName(table, key),
  }));
  return [
    ...options,
    ...Object.entries(table.lists ?? {}).flatMap(([name, spec]) => listLines(name, spec, loaded.lists)),
  ];
}

function listLines(name: string, spec: ListSpec, lists: Readonly<Record<string, unknown>>): ConfigLine[] {
  const entries = (lists[name] ?? []) as readonly Readonly<Record<string, unknown>>[];
  return entries.flatMap((entry, index) =>
    Object.entries(spec.options).map(([key, option]) => ({
      key: `${name}[${index}].${key}`,
      value: shown(option, entry[key]),
      origin: 'file',
      env: '',
    })),
  );
}

function shown({ secret, type }: Pick<OptionSpec, 'secret' | 'type'>, value: unknown): string {
  if (secret === true) return isSet(value) ? '(set)' : '(not set)';
  return type === 'duration' ? formatDuration(Number(value)) : JSON.stringify(value);
}

function isSet(value: unknown): boolean {
  return value !== undefined && value !== '' && !(Array.isArray(value) && value.length === 0);
}
