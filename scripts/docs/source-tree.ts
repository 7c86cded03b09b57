/**
 * The repository's source as data: every TypeScript file with its header comment and what it imports. Used by the generated module map
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
      files.set(path, { path, text, header: headerOf(text), imports: importsOf(path, text) });
    }
  }
  return files;
}

export function isTestFile(path: string): boolean {
  return path.startsWith('test/') || /\.(test|contract)\.ts$/.test(path);
}

/** First sentence of a header comment, for one-line lists. */
export function firstSentence(header: string): string {
  const flat = header.replace(/\s+/g, ' ').trim();
  const end = flat.search(/[.:;](\s|$)/);
  return end === -1 ? flat : flat.slice(0, end);
}

function headerOf(text: string): string {
  const match = /^(?:#![^\n]*\n)?\s*\/\*\*?([\s\S]*?)\*\//.exec(text);
  if (match !== null) return match[1]!.replace(/^\s*\* ?/gm, '').trim();
  const lines = /^(?:#![^\n]*\n)?((?:\/\/[^\n]*\n)+)/.exec(text);
  return lines === null ? '' : lines[1]!.replace(/^\/\/ ?/gm, '').trim();
}

function importsOf(path: string, text: string): string[] {
  const code = text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|\s)\/\/[^\n]*/g, '$1');
  const targets = new Set<string>();
  const patterns = [
    /\bfrom\s+'(\.{1,2}\/[^']+)'/g,
    /\bimport\s+'(\.{1,2}\/[^']+)'/g,
    /\bimport\(\s*'(\.{1,2}\/[^']+)'\s*\)/g,
    /new URL\(\s*'(\.{1,2}\/[^']+\.ts)'/g,
  ];
  for (const pattern of patterns) {
    for (const match of code.matchAll(pattern)) {
      targets.add(relative(repositoryRoot, resolve(repositoryRoot, dirname(path), match[1]!)).replaceAll('\\', '/'));
    }
  }
  return [...targets].sort();
}
