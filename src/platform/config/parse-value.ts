/**
 * Text → value for every option type, with the grammars of the reference services: Go durations, Go boolean words, Go integer prefixes.
 * Source: notification-service.md 3.3, data-pipeline.md 3.1.
 */
import { configInvalid } from '../../encoding/ccx-error.ts';
import type { OptionSpec } from './options.ts';

const truthy = new Set(['1', 't', 'T', 'TRUE', 'true', 'True']);
const falsy = new Set(['0', 'f', 'F', 'FALSE', 'false', 'False', '']);

const durationUnitsMs: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
};

const byteUnits: Readonly<Record<string, number>> = {
  '': 1,
  K: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  KI: 2 ** 10,
  MI: 2 ** 20,
  GI: 2 ** 30,
  TI: 2 ** 40,
};

export function parseBoolean(text: string): boolean | undefined {
  if (truthy.has(text)) return true;
  if (falsy.has(text)) return false;
  return undefined;
}

/** Go's base prefixes (`0x`, `0o`, `0b`, leading `0`) and underscores; undefined when it is no integer. */
export function parseInteger(text: string): number | undefined {
  const match = /^([+-]?)(0[xX][0-9a-fA-F_]+|0[oO]?[0-7_]+|0[bB][01_]+|[0-9][0-9_]*)$/.exec(text.trim());
  if (match === null) return text === '' ? 0 : undefined;
  const digits = match[2]!.replaceAll('_', '').replace(/^0(?=[0-7]+$)/, '0o');
  const value = Number(digits);
  if (!Number.isSafeInteger(value)) return undefined;
  return match[1] === '-' ? -value : value;
}

/** Go duration text in milliseconds; undefined when it is none. `0` and the empty text are zero. */
export function parseDuration(text: string): number | undefined {
  const trimmed = text.trim();
  if (trimmed === '' || trimmed === '0') return 0;
  const sign = trimmed.startsWith('-') ? -1 : 1;
  const body = trimmed.replace(/^[+-]/, '');
  if (!/^(\d+(\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)((\d+(\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h))*$/.test(body)) return undefined;
  let total = 0;
  for (const part of body.matchAll(/(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)/g)) {
    total += Number(part[1]) * durationUnitsMs[part[2]!]!;
  }
  return sign * total;
}

/** Milliseconds as the text that a person would write, which `parseDuration` reads back. */
export function formatDuration(ms: number): string {
  if (ms !== 0 && ms % 3_600_000 === 0) return `${ms / 3_600_000}h`;
  if (ms !== 0 && ms % 60_000 === 0) return `${ms / 60_000}m`;
  return ms % 1_000 === 0 ? `${ms / 1_000}s` : `${ms}ms`;
}

/** `100MiB`, `1.5 GB`, `104857600` → bytes, truncated; undefined when it is no size. */
export function parseBytes(text: string): number | undefined {
  const match = /^\s*(\d+(?:\.\d+)?)\s*([KMGT]i?)?B?\s*$/i.exec(text);
  if (match === null) return undefined;
  const unit = byteUnits[(match[2] ?? '').toUpperCase()];
  return unit === undefined ? undefined : Math.trunc(Number(match[1]) * unit);
}

export function splitList(text: string, how: OptionSpec['split']): string[] {
  if (text === '') return [];
  if (how === 'whitespace') return text.split(/\s+/).filter((item) => item !== '');
  if (how === 'comma-or-whitespace') return text.split(/[\s,]+/).filter((item) => item !== '');
  return text.split(',');
}

/** Any raw value (text of the environment or a flag, any TOML value) to the option's type. `where` names the source for the error. */
export function parseOption(spec: OptionSpec, raw: unknown, where: string): unknown {
  const isOff = typeof raw === 'string' && raw.trim().toLowerCase() === spec.off;
  const value = isOff ? '' : convert(spec, raw);
  if (value === undefined) {
    throw configInvalid(`${where} cannot be read as ${spec.type}: ${shown(spec, raw)}`, `change ${where}`);
  }
  if (typeof value === 'number') {
    if (spec.min !== undefined && value < spec.min)
      throw configInvalid(`${where} must be at least ${spec.min}`, `change ${where}`);
    if (spec.max !== undefined && value > spec.max)
      throw configInvalid(`${where} must be at most ${spec.max}`, `change ${where}`);
  }
  if (spec.choices !== undefined && typeof value === 'string' && !spec.choices.includes(value)) {
    throw configInvalid(`${where} must be one of ${spec.choices.join(', ')}: ${shown(spec, raw)}`, `change ${where}`);
  }
  return value;
}

function convert(spec: OptionSpec, raw: unknown): unknown {
  switch (spec.type) {
    case 'string':
      return typeof raw === 'string' ? raw : isScalar(raw) ? String(raw) : undefined;
    case 'boolean':
      return typeof raw === 'boolean' ? raw : isScalar(raw) ? parseBoolean(String(raw)) : undefined;
    case 'integer':
      return typeof raw === 'boolean' ? Number(raw) : isScalar(raw) ? parseInteger(String(raw)) : undefined;
    case 'duration':
      // A bare number in a file is nanoseconds in Go's decoder.
      if (typeof raw === 'number' || typeof raw === 'bigint')
        return Number.isFinite(Number(raw)) ? Number(raw) / 1e6 : undefined;
      return typeof raw === 'string' ? parseDuration(raw) : undefined;
    case 'bytes':
      return isScalar(raw) ? parseBytes(String(raw)) : undefined;
    case 'list':
      if (Array.isArray(raw)) return raw.every(isScalar) ? raw.map(String) : undefined;
      return typeof raw === 'string' ? splitList(raw, spec.split) : undefined;
  }
}

function isScalar(raw: unknown): raw is string | number | bigint | boolean {
  return typeof raw === 'string' || typeof raw === 'number' || typeof raw === 'bigint' || typeof raw === 'boolean';
}

function shown(spec: OptionSpec, raw: unknown): string {
  return spec.secret === true ? '(secret)' : shownText(raw);
}

/** For people, without what may be a password. */
export function shownText(value: unknown): string {
  return (
    JSON.stringify(value, (_, inner) => (typeof inner === 'string' ? maskUserinfo(inner) : inner)) ?? String(value)
  );
}

/**
 * User and password of a URL, or of a host and port without a scheme, are `***`. A password that is not encoded may hold anything, so that
 * everything up to the last `@` counts as one.
 */
function maskUserinfo(text: string): string {
  return text.replace(/:\/\/.*@/s, '://***@').replace(/^[^\s:/@]+:(?!\/\/).*@/s, '***@');
}

/** Go's form of an address: `:8080` is every address of the machine, `[::1]:8080` has brackets. Undefined for what is none. */
export function parseHostPort(address: string): { readonly host: string; readonly port: number } | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]*)):(\d{1,5})$/.exec(address);
  const port = Number(match?.[3]);
  return match === null || port > 65_535 ? undefined : { host: match[1] ?? match[2] ?? '', port };
}
