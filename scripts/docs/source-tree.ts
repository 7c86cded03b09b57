/**
 * The repository's source as data: every TypeScript file with its header comment and what it imports. Used by the generated import graph
 * and by `test/tidy.test.ts`; it reads text, it runs nothing.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const repositoryRoot = resolve(dirname(fileURLToPath(import.meta.url)), '../..');

export interface SourceFile {
  /** Path from the repository's root, with forward slashes. */
  readonly path: string;
  readonly text: string;
  /** Text of the comment at the head of the file, without comment marks; empty when there is none. */
  readonly header: string;
  /** Repository paths of the files it imports, statically, dynamically, or as the module of a child process. */
  readonly imports: readonly string[];
  /** Those of them that are loaded together with the file. */
  readonly loads: readonly string[];
  /** npm packages that it needs when it runs; types alone are no need. */
  readonly packages: readonly string[];
}

const sourceRoots = ['src', 'test', 'scripts', 'bench'];

export function listFiles(folder: string, accept: (path: string) => boolean): string[] {
  const found: string[] = [];
  const walk = (directory: string) => {
    for (const entry of readdirSync(directory, { withFileTypes: true })) {
      if (entry.name === 'node_modules' || entry.name === '.git') continue;
      const path = join(directory, entry.name);
      if (entry.isDirectory()) walk(path);
      else if (accept(path)) found.push(relative(repositoryRoot, path).replaceAll('\\', '/'));
    }
  };
  const start = join(repositoryRoot, folder);
  if (existsSync(start)) walk(start);
  return found.sort();
}

export function readSourceTree(): ReadonlyMap<string, SourceFile> {
  const files = new Map<string, SourceFile>();
  for (const root of sourceRoots) {
    for (const path of listFiles(root, (name) => name.endsWith('.ts'))) {
      const text = readFileSync(join(repositoryRoot, path), 'utf8');
      files.set(path, { path, text, header: headerOf(text), ...importsOf(path, text) });
    }
  }
  return files;
}

export function isTestFile(path: string): boolean {
  return path.startsWith('test/') || /\.(test|contract)\.ts$/.test(path);
}

function headerOf(text: string): string {
  const match = /^(?:#![^\n]*\n)?\s*\/\*\*?([\s\S]*?)\*\//.exec(text);
  if (match !== null) return match[1]!.replace(/^\s*\* ?/gm, '').trim();
  const lines = /^(?:#![^\n]*\n)?((?:\/\/[^\n]*\n)+)/.exec(text);
  return lines === null ? '' : lines[1]!.replace(/^\/\/ ?/gm, '').trim();
}

const staticImports = [/\bfrom\s+'([^']+)'/g, /\bimport\s+'([^']+)'/g];
const laterImports = [
  /\bimport\(\s*'([^']+)'\s*\)/g,
  /new URL\(\s*'(\.{1,2}\/[^']+\.ts)'/g,
  /\.resolve\(\s*'([^']+)'\s*\)/g,
];
/** Type stripping takes these out, so that nothing is loaded for them. */
const typeImports = /\b(?:import|export)\s+type\s[^;]*?\bfrom\s+'[^']+'/g;

function importsOf(path: string, text: string): Pick<SourceFile, 'imports' | 'loads' | 'packages'> {
  const code = text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|\s)\/\/[^\n]*/g, '$1');
  const loaded = code.replace(typeImports, '');
  const found = (from: string, patterns: readonly RegExp[]) =>
    patterns.flatMap((pattern) => [...from.matchAll(pattern)].map((match) => match[1]!));
  const files = (names: readonly string[]) => {
    const local = names.filter((name) => /^\.{1,2}\//.test(name));
    const resolved = local.map((name) => relative(repositoryRoot, resolve(repositoryRoot, dirname(path), name)));
    return [...new Set(resolved.map((name) => name.replaceAll('\\', '/')))].sort();
  };
  const needed = found(loaded, [...staticImports, ...laterImports]);
  const packages = needed.filter((name) => /^(@[a-z]|[a-z])[\w.-]*(\/|$)/.test(name) && !name.startsWith('node:'));
  return {
    imports: files(found(code, [...staticImports, ...laterImports])),
    loads: files(found(loaded, staticImports)),
    packages: [...new Set(packages.map((name) => name.split('/', name.startsWith('@') ? 2 : 1).join('/')))].sort(),
  };
}
