/**
 * Configuration declared once. A role's table of options is the single source of its environment names, TOML keys, flags, `--help`
 * text, `docs/configuration.md`, and of the settings that its service takes, with their TypeScript type.
 */

/** What the value of an option is after parsing: duration in ms, bytes as a number, list as an array of strings. */
interface OptionValues {
  string: string;
  integer: number;
  boolean: boolean;
  /** Go duration text (`1m30s`); milliseconds. */
  duration: number;
  /** `104857600`, `100MiB`, `1.5 GB`. */
  bytes: number;
  list: readonly string[];
}

export type OptionType = keyof OptionValues;

export interface OptionSpec<Type extends OptionType = OptionType> {
  readonly type: Type;
  /** Works as it is: new code must run on an old configuration. */
  readonly default: OptionValues[Type];
  readonly description: string;
  /** Full environment name where it is not derived from the table's prefix and the key. */
  readonly env?: string;
  /** Long flag on `ccx <role>`, without dashes. Absent: no flag. */
  readonly flag?: string;
  /** Never shown; may also come from the file that `<ENV>_FILE` names. */
  readonly secret?: boolean;
  readonly min?: number;
  readonly max?: number;
  readonly choices?: readonly string[];
  /** How text is split into a list; default comma, without trimming. */
  readonly split?: 'comma' | 'whitespace' | 'comma-or-whitespace';
  /**
   * Whether an environment variable counts. `always` is ours; the drop-in binaries follow the reference: `known-key` counts only if the
   * file lists the key or there is no file, `in-file` only if the file lists it. Source: notification-service.md 3.3.
   */
  readonly envCounts?: 'always' | 'known-key' | 'in-file';
  /** Path in the role's settings, where it is not the key's: `retry.max_age`, a duration, is `retry.maxAgeMs`. */
  readonly as?: string;
  /** The word, in any case, that means an empty text: an empty environment variable counts as unset. */
  readonly off?: string;
}

export interface OptionTable {
  /** Role, or drop-in binary, that it belongs to. */
  readonly name: string;
  /** `CCX_WRITER` gives `CCX_WRITER__SECTION__KEY` for the key `section.key`. */
  readonly envPrefix: string;
  /** Keyed `section.key`, as in TOML. */
  readonly options: Readonly<Record<string, OptionSpec>>;
  /** Tables of which a file may hold any number, by name: `[[receivers]]`. They come from the file only. */
  readonly lists?: Readonly<Record<string, ListSpec>>;
}

export interface ListSpec {
  readonly description: string;
  /** Keys of one entry. A secret may also be given as `<key>_file`, the path of a file that holds it. */
  readonly options: Readonly<Record<string, EntryOptionSpec>>;
}

/** Of an entry: no environment name, no flag. */
interface EntryOptionSpec extends Omit<OptionSpec, 'env' | 'flag' | 'envCounts' | 'as'> {
  /** Each entry has to give it; it also tells them apart in errors where it is `name`. */
  readonly required?: boolean;
}

export type ConfigOf<Table extends OptionTable> = {
  readonly [Key in keyof Table['options']]: OptionValues[Table['options'][Key]['type']];
};

/** What the value of an option is for its service: one of its choices, where it has some. */
type SettingValue<Spec extends OptionSpec> = Spec extends { readonly choices: readonly (infer Choice)[] }
  ? Choice
  : OptionValues[Spec['type']];

type CamelCase<Text extends string> = Text extends `${infer Head}_${infer Tail}`
  ? `${Head}${Capitalize<CamelCase<Tail>>}`
  : Text;

type SettingPath<Key, Spec extends OptionSpec> = Spec extends { readonly as: infer Path extends string }
  ? Path
  : Key extends string
    ? `${CamelCase<Key>}${Spec['type'] extends 'duration' ? 'Ms' : ''}`
    : never;

type FlatSettings<Options extends Readonly<Record<string, OptionSpec>>> = {
  readonly [Key in keyof Options as SettingPath<Key, Options[Key]>]: SettingValue<Options[Key]>;
};

type HeadOf<Path> = Path extends `${infer Head}.${string}` ? Head : Path;

type Nested<Flat> = {
  readonly [Head in HeadOf<keyof Flat & string>]: Head extends keyof Flat
    ? Flat[Head]
    : Nested<{ [Path in keyof Flat & string as Path extends `${Head}.${infer Rest}` ? Rest : never]: Flat[Path] }>;
};

/** The settings that a table's options make: `'download.retry_for'` of type duration → `{ download: { retryForMs } }`. */
export type SettingsOf<Table extends OptionTable> = Nested<FlatSettings<Table['options']>>;

export function settingsOf<Table extends OptionTable>(table: Table, config: ConfigOf<Table>): SettingsOf<Table> {
  const settings: Record<string, unknown> = {};
  for (const [key, spec] of Object.entries<OptionSpec>(table.options)) {
    const path = (spec.as ?? `${camelCase(key)}${spec.type === 'duration' ? 'Ms' : ''}`).split('.');
    const last = path.pop()!;
    let section = settings;
    for (const name of path) {
      section[name] ??= {};
      section = section[name] as Record<string, unknown>;
    }
    section[last] = config[key as keyof Table['options']];
  }
  return settings as SettingsOf<Table>;
}

/** `some_name` or `some-name` → `someName`. */
export function camelCase(name: string): string {
  return name.replace(/[-_]([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

type SecretKey<Spec extends ListSpec> = {
  [Key in keyof Spec['options'] & string]: Spec['options'][Key] extends { readonly secret: true } ? Key : never;
}[keyof Spec['options'] & string];

/** Of each secret also the file that it came from, empty where it came from none: files are read again when secrets are rotated. */
type ListEntry<Spec extends ListSpec> = {
  readonly [Key in keyof Spec['options']]: OptionValues[Spec['options'][Key]['type']];
} & { readonly [Key in SecretKey<Spec> as `${Key}_file`]: string } & {
  /** The keys that the file has. */
  readonly given: readonly string[];
};

/** The entries of each list, in the order of the file. */
export type ListsOf<Table extends OptionTable> =
  Table['lists'] extends Readonly<Record<string, ListSpec>>
    ? { readonly [Name in keyof Table['lists']]: readonly ListEntry<Table['lists'][Name]>[] }
    : Readonly<Record<never, never>>;

/** An option as a table writes it down: text, yes or no, and a list tell their type by their default. */
export interface OptionRow extends Omit<OptionSpec, 'type'> {
  readonly type?: OptionType;
}

type TypeOfDefault<Default> = Default extends string ? 'string' : Default extends boolean ? 'boolean' : 'list';

export type WithTypes<Rows extends Readonly<Record<string, OptionRow>>> = {
  readonly [Key in keyof Rows]: Rows[Key] extends { readonly type: OptionType }
    ? Rows[Key]
    : Rows[Key] & { readonly type: TypeOfDefault<Exclude<Rows[Key]['default'], number>> };
};

/** Keeps the literal types of a table. */
export function defineOptions<
  const Table extends Omit<OptionTable, 'options'> & { readonly options: Readonly<Record<string, OptionRow>> },
>(table: Table): Omit<Table, 'options'> & { readonly options: WithTypes<Table['options']> } {
  const options = Object.entries(table.options).map(([key, row]) => [key, { type: typeOfDefault(row), ...row }]);
  return { ...table, options: Object.fromEntries(options) };
}

function typeOfDefault({ default: value }: OptionRow): OptionType | undefined {
  if (typeof value === 'string' || typeof value === 'boolean') return typeof value as 'string' | 'boolean';
  return typeof value === 'number' ? undefined : 'list';
}

/** Options of a section, under their whole keys. */
export function inSection<Section extends string, const Options extends Readonly<Record<string, OptionRow>>>(
  section: Section,
  options: Options,
) {
  type Prefixed = { [Key in keyof Options & string as `${Section}.${Key}`]: Options[Key] };
  return Object.fromEntries(Object.entries(options).map(([key, spec]) => [`${section}.${key}`, spec])) as Prefixed;
}

/** The same table with other defaults, for a program that runs a role in its own way. Unknown keys do not compile. */
export function withDefaults<Table extends OptionTable>(
  table: Table,
  defaults: { readonly [Key in keyof Table['options']]?: OptionValues[Table['options'][Key]['type']] },
): Table {
  const options: Record<string, OptionSpec> = { ...table.options };
  for (const [key, value] of Object.entries(defaults)) options[key] = { ...options[key]!, default: value as never };
  return { ...table, options };
}

/** `storage.pg_host` with prefix `CCX_NOTIFICATION_WRITER` → `CCX_NOTIFICATION_WRITER__STORAGE__PG_HOST`. */
export function environmentName(table: OptionTable, key: string): string {
  const explicit = table.options[key]?.env;
  return explicit ?? `${table.envPrefix}__${key.replaceAll('.', '__').replaceAll('-', '_')}`.toUpperCase();
}
