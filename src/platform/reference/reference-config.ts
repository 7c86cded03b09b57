/**
 * Where the drop-in programs find their configuration file, by the rules of the reference's library: a variable names a file whose extension
 * does not count; without the variable a file called `config` may lie in the current folder. Source: notification-writer.md 2.1.
 */
import { existsSync } from 'node:fs';
import { basename, dirname, extname, join } from 'node:path';
import { CcxError } from '../../encoding/ccx-error.ts';

/** In the order in which they are looked for. */
const extensions = [
  'json',
  'toml',
  'yaml',
  'yml',
  'properties',
  'props',
  'prop',
  'hcl',
  'tfvars',
  'dotenv',
  'env',
  'ini',
];
/** Those that can be read. */
const readable = new Set(['json', 'toml', 'yaml', 'yml']);

export interface ReferenceConfigFile {
  /** As the reference's first log line names it. */
  readonly name: string;
  /** Absent: there is no file, and the environment alone counts. */
  readonly path?: string;
}

/**
 * `named` is the variable's value, undefined where it does not exist; an empty one names a file that cannot be found. Throws `CONFIG_FILE`.
 * A name without a folder is looked for in the current one, where the reference never finds it.
 */
export function findReferenceConfig(named: string | undefined, currentFolder: string): ReferenceConfigFile {
  if (named === undefined) return { name: 'config', ...found(join(currentFolder, 'config')) };
  const base = basename(named, extname(named));
  const folder = dirname(named);
  const { path } = base === '' ? {} : found(join(currentFolder, folder === '' ? '.' : folder, base), folder);
  if (path !== undefined) return { name: base, path };
  throw new CcxError(`fatal error config file: Config File "${base}" Not Found in "[${folder}]"`, {
    code: 'CONFIG_FILE',
    category: 'configuration',
    hint: `the file's folder is looked through for ${base} with the extension json, toml, yaml or yml`,
  });
}

/** An absolute folder stays absolute. */
function found(base: string, folder = '.'): { readonly path?: string } {
  const start = folder.startsWith('/') ? join(folder, basename(base)) : base;
  const extension = extensions.find((candidate) => existsSync(`${start}.${candidate}`));
  if (extension === undefined) return {};
  const path = `${start}.${extension}`;
  if (readable.has(extension)) return { path };
  throw new CcxError(`fatal error config file: ${path}: configuration in the format ${extension} cannot be read`, {
    code: 'CONFIG_FILE',
    category: 'configuration',
    hint: 'write it as toml, json or yaml',
  });
}
