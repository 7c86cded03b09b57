/**
 * What conditions of packs know besides standard CEL: versions, conditions of resources, quantities, extremes of lists, linear regular
 * expressions, and arithmetic between whole and other numbers, since the numbers of a JSON file are doubles to CEL. Every function throws an
 * `Error` whose text says what was wrong with its argument; the rule then did not run.
 */
import { Environment } from '@marcbachmann/cel-js';
import { RE2JS } from 're2js';
import { isJsonObject, type JsonObject, type JsonValue } from '../../encoding/json-text.ts';
import { field, listAt, textAt } from '../engine/json-access.ts';
import { compareVersions, parseVersion, type SemanticVersion } from '../engine/semantic-version.ts';

/** Bounds of every expression, which bound its compilation and the depth of its evaluation. */
const limits = { maxAstNodes: 2_000, maxDepth: 64, maxListElements: 500, maxMapEntries: 200, maxCallArguments: 16 };

/** What the name `matches` is before an expression is compiled: as long, so that positions stay, and bound to the linear engine. */
export const LINEAR_MATCHES = 'linears';

/** A regular expression's; each character may become a step for every character that is searched. */
const regexCharactersMax = 500;
const regexesKeptMax = 1_000;

class Version {
  readonly version: SemanticVersion;
  constructor(version: SemanticVersion) {
    this.version = version;
  }
}

/** `lists.max`: CEL calls it a member of a constant. */
class Lists {}

/** As the Kubernetes API writes them: `16Gi`, `500m`, `1.5e3`. */
const quantityPattern =
  /^([+-]?(?:\d{1,20}(?:\.\d{0,20})?|\.\d{1,20}))(?:[eE]([+-]?\d{1,2})|([numkKMGTPE]|[KMGTPE]i))?$/;
const quantityUnits: ReadonlyMap<string, number> = new Map([
  ...Object.entries({ n: 1e-9, u: 1e-6, m: 1e-3, k: 1e3, K: 1e3, M: 1e6, G: 1e9, T: 1e12, P: 1e15, E: 1e18 }),
  ...['Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'].map((unit, power): [string, number] => [unit, 2 ** (10 * (power + 1))]),
]);

/** Names that an input cannot have. */
export const reservedNames: readonly string[] = ['gathered_at', 'lists', 'cel', 'google', 'pydata', 'type', 'optional'];

function createEnvironment(): Environment {
  const environment = new Environment({ homogeneousAggregateLiterals: false, limits });
  for (const [operator, compute] of Object.entries(arithmetic)) {
    const computed = (a: number | bigint, b: number | bigint) => compute(Number(a), Number(b));
    environment.registerOperator(`double ${operator} int: double`, computed);
    environment.registerOperator(`int ${operator} double: double`, computed);
  }
  environment.registerOperator('double % double: double', (a: number, b: number) => a % b);
  environment
    .registerType('Version', { ctor: Version, fields: {} })
    .registerFunction('semver(string): Version', versionOf)
    .registerFunction('Version.isAtLeast(string): bool', ({ version }: Version, least: string) => {
      return compareVersions(version, versionOf(completed(least)).version) >= 0;
    })
    .registerFunction('Version.major(): int', ({ version }: Version) => BigInt(version.major))
    .registerFunction('Version.minor(): int', ({ version }: Version) => BigInt(version.minor))
    .registerFunction('Version.patch(): int', ({ version }: Version) => BigInt(version.patch))
    .registerFunction('condition(map, string): map', conditionOf)
    .registerFunction('quantity(string): double', quantityOf)
    .registerFunction('quantity(double): double', (value: number) => value)
    .registerFunction('quantity(int): double', (value: bigint) => Number(value))
    .registerType('Lists', Lists)
    .registerConstant('lists', 'Lists', new Lists())
    .registerFunction('Lists.max(list): dyn', (_lists: Lists, list: readonly unknown[]) =>
      extreme(list, 1, 'lists.max'),
    )
    .registerFunction('Lists.min(list): dyn', (_lists: Lists, list: readonly unknown[]) =>
      extreme(list, -1, 'lists.min'),
    )
    .registerFunction(`string.${LINEAR_MATCHES}(string): bool`, (text: string, pattern: string) =>
      linearRegex(pattern).matcher(text).find(),
    );
  return environment;
}

const arithmetic: Readonly<Record<string, (a: number, b: number) => number>> = {
  '+': (a, b) => a + b,
  '-': (a, b) => a - b,
  '*': (a, b) => a * b,
  '/': (a, b) => a / b,
  '%': (a, b) => a % b,
};

/** Two numbers are enough for what is asked for: `4.17` is `4.17.0`. */
function completed(text: string): string {
  return /^\d+$/.test(text) ? `${text}.0.0` : /^\d+\.\d+$/.test(text) ? `${text}.0` : text;
}

function versionOf(text: string): Version {
  const version = parseVersion(completed(text));
  if (version === undefined) throw new Error(`semver(): this is no version: ${JSON.stringify(text.slice(0, 60))}`);
  return new Version(version);
}

/** The condition of that type in `status.conditions`; as Kubernetes reads it, one that is not there is `Unknown`. */
function conditionOf(resource: JsonObject | ReadonlyMap<string, JsonValue>, type: string): JsonObject {
  const status =
    resource instanceof Map
      ? (resource.get('status') as JsonValue | undefined)
      : field(resource as JsonObject, 'status');
  const found = listAt(status, 'conditions').find((condition) => textAt(condition, 'type') === type);
  return { type, status: 'Unknown', reason: '', message: '', ...(isJsonObject(found) ? found : {}) };
}

function quantityOf(text: string): number {
  const match = quantityPattern.exec(text);
  if (match === null) throw new Error(`quantity(): this is no quantity: ${JSON.stringify(text.slice(0, 60))}`);
  const [, digits, exponent, unit] = match;
  return Number(digits) * (exponent === undefined ? (quantityUnits.get(unit ?? '') ?? 1) : 10 ** Number(exponent));
}

type Comparable = number | bigint | string | Date;

function extreme(list: readonly unknown[], sign: 1 | -1, name: string): unknown {
  const kinds = new Set(list.map(kindOf));
  if (kinds.size !== 1 || kinds.has('other')) {
    throw new Error(
      `${name}(): ${list.length === 0 ? 'the list is empty' : 'the list holds other than numbers, texts or times of one kind'}`,
    );
  }
  return (list as readonly Comparable[]).reduce((best, value) =>
    (sign === 1 ? value > best : value < best) ? value : best,
  );
}

function kindOf(value: unknown): 'number' | 'string' | 'time' | 'other' {
  if (typeof value === 'number' || typeof value === 'bigint') return 'number';
  if (typeof value === 'string') return 'string';
  return value instanceof Date ? 'time' : 'other';
}

const regexes = new Map<string, RE2JS>();

/** Throws where it is none that is searched in linear time: look-around and back references among others. */
export function linearRegex(pattern: string): RE2JS {
  const known = regexes.get(pattern);
  if (known !== undefined) return known;
  if (pattern.length > regexCharactersMax) {
    throw new Error(`matches(): a regular expression has at most ${regexCharactersMax} characters`);
  }
  let compiled: RE2JS;
  try {
    compiled = RE2JS.compile(pattern);
  } catch (error) {
    throw new Error(`matches(): this is no linear regular expression: ${(error as Error).message}`);
  }
  if (regexes.size >= regexesKeptMax) regexes.clear();
  regexes.set(pattern, compiled);
  return compiled;
}

/** Made once: an environment of a rule is a cheap copy of it. */
export const baseEnvironment: Environment = createEnvironment();
