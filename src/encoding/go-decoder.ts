/**
 * JSON into fields as Go's `encoding/json` fills a struct: unknown members are ignored, names match without regard to case, null leaves the
 * zero value, a wrong type refuses the whole document. Used for what the reference ingress decodes: identities and upload metadata.
 * Source: ingress.md A.3.2, A.4.5.
 */
import { JsonScanner, JsonSyntaxError } from './json-scanner.ts';
import { escapeLikeGo, isJsonObject } from './json-text.ts';
import { parseRfc3339 } from './rfc3339.ts';

export type GoType =
  | { readonly kind: 'string' | 'bool' | 'number' | 'time' }
  | { readonly kind: 'list' | 'map'; readonly of: GoType }
  /** `name` is the Go type's, which stands in error texts. */
  | { readonly kind: 'struct'; readonly name: string; readonly fields: Readonly<Record<string, GoType>> };

/** Members that were present and not null, under the names of the struct; values have the types of the struct. */
export type GoValue = string | boolean | number | readonly GoValue[] | { readonly [name: string]: GoValue };

type GoDecoding =
  | { readonly kind: 'decoded'; readonly value: { readonly [name: string]: GoValue } }
  /** `text` is worded as Go's decoder words it. */
  | { readonly kind: 'refused'; readonly text: string };

/** The document must be an object or null. Never throws. */
export function decodeLikeGo(text: Buffer, type: Extract<GoType, { kind: 'struct' }>): GoDecoding {
  try {
    const scanner = new JsonScanner(text);
    scanner.skipToEnd(scanner.skipValue(scanner.skipSpace(0), 0));
    const value = decodeValue(JSON.parse(text.toString('utf8')), type, { struct: '', path: '' });
    return { kind: 'decoded', value: (value ?? {}) as { readonly [name: string]: GoValue } };
  } catch (error) {
    const isOfTheText =
      error instanceof JsonSyntaxError || error instanceof GoTypeError || error instanceof SyntaxError;
    if (isOfTheText) return { kind: 'refused', text: error.message };
    throw error;
  }
}

class GoTypeError extends Error {}

/** Where in the document: the struct around the field, and the names from the root down to it. */
interface FieldPlace {
  readonly struct: string;
  readonly path: string;
}

/** Undefined for null: the field keeps its zero value. */
function decodeValue(value: unknown, type: GoType, place: FieldPlace): GoValue | undefined {
  if (value === null) return undefined;
  switch (type.kind) {
    case 'string':
      return typeof value === 'string' ? value.toWellFormed() : mismatch(value, 'string', place);
    case 'bool':
      return typeof value === 'boolean' ? value : mismatch(value, 'bool', place);
    case 'number':
      return typeof value === 'number' ? value : mismatch(value, goName(type), place);
    case 'time':
      return decodeTime(value);
    case 'list':
      if (!Array.isArray(value)) return mismatch(value, `[]${goName(type.of)}`, place);
      return value.map((item) => decodeValue(item, type.of, place) ?? zeroOf(type.of));
    case 'map':
      if (!isJsonObject(value)) return mismatch(value, `map[string]${goName(type.of)}`, place);
      return Object.fromEntries(
        Object.entries(value).map(([name, item]) => [name, decodeValue(item, type.of, place) ?? zeroOf(type.of)]),
      );
    case 'struct':
      return decodeStruct(value, type, place);
  }
}

function decodeStruct(value: unknown, type: Extract<GoType, { kind: 'struct' }>, place: FieldPlace): GoValue {
  if (!isJsonObject(value)) return mismatch(value, goName(type), place);
  const decoded: Record<string, GoValue> = {};
  for (const [written, item] of Object.entries(value)) {
    const name = fieldNamed(type.fields, written);
    if (name === undefined) continue;
    const path = place.path === '' ? name : `${place.path}.${name}`;
    const field = decodeValue(item, type.fields[name]!, { struct: type.name, path });
    if (field !== undefined) decoded[name] = field;
  }
  return decoded;
}

function fieldNamed(fields: Readonly<Record<string, GoType>>, written: string): string | undefined {
  if (Object.hasOwn(fields, written)) return written;
  const folded = foldLikeGo(written);
  return Object.keys(fields).find((name) => foldLikeGo(name) === folded);
}

/** Without regard to case. Go folds the long s, too; lower-casing does the Kelvin sign. */
export function foldLikeGo(name: string): string {
  return name.replaceAll('ſ', 's').toLowerCase();
}

/** `time.Time` is read as `time.Parse` does: a comma before the fraction and a one-digit hour pass. */
function decodeTime(value: unknown): string {
  if (typeof value !== 'string') throw new GoTypeError('Time.UnmarshalJSON: input is not a JSON string');
  if (parseRfc3339(value) === undefined) throw new GoTypeError(`parsing time ${JSON.stringify(value)}: not RFC 3339`);
  return value;
}

function mismatch(value: unknown, wanted: string, place: FieldPlace): never {
  const found = Array.isArray(value) ? 'array' : typeof value === 'boolean' ? 'bool' : typeof value;
  const into = place.struct === '' ? 'Go value' : `Go struct field ${place.struct}.${place.path}`;
  throw new GoTypeError(`json: cannot unmarshal ${found} into ${into} of type ${wanted}`);
}

function goName(type: GoType): string {
  switch (type.kind) {
    case 'number':
      // The only number that the reference reads with this, `auth_time`, is one.
      return 'float32';
    case 'time':
      return 'time.Time';
    case 'list':
      return `[]${goName(type.of)}`;
    case 'map':
      return `map[string]${goName(type.of)}`;
    case 'struct':
      return `identity.${type.name}`;
    default:
      return type.kind;
  }
}

function zeroOf(type: GoType): GoValue {
  switch (type.kind) {
    case 'string':
      return '';
    case 'time':
      return '0001-01-01T00:00:00Z';
    case 'bool':
      return false;
    case 'number':
      return 0;
    case 'list':
      return [];
    case 'map':
    case 'struct':
      return {};
  }
}

/**
 * JSON text as Go's encoder writes it, so that bodies equal the reference's byte for byte: compact, `<`, `>`, `&`, U+2028 and U+2029
 * escaped, lone surrogates replaced by U+FFFD. Used for what leaves the notification service and for what the template renderer reads.
 * Source: notification-service.md 9.2.
 */
export function stringifyLikeGo(value: unknown): string {
  const text = JSON.stringify(value, (_key, member) => (typeof member === 'string' ? member.toWellFormed() : member));
  return escapeLikeGo(text);
}
