/**
 * The hosted pipeline's YAML as a tree of texts, each with its name and line, variables filled in as its framework does. What the texts mean
 * is for `read-hosted-config.ts`. Source: data-pipeline.md 1.2.
 */
import { createRequire } from 'node:module';
import { CcxError } from '../../../encoding/ccx-error.ts';

export interface Setting {
  /** From the document's beginning: `service.consumer.kwargs.group.id`. */
  readonly name: string;
  /** From 1. */
  readonly line: number;
  /** Undefined where there is nothing, an empty text, or null: the framework makes the same of them. */
  readonly value: string | readonly Setting[] | ReadonlyMap<string, Setting> | undefined;
  /** Variables of a text that are not set and have no default; they stand in it as they were written. */
  readonly unset: readonly string[];
}

/** 72 files, which a start without such a file does without. */
const yaml = (): typeof import('yaml') => createRequire(import.meta.url)('yaml');

type Environment = Readonly<Record<string, string | undefined>>;

/** Nesting of the document; the hosted one has six levels. */
const depthMax = 32;

/** Throws `CONFIG_FILE` where the text is no YAML mapping. */
export function readSettingsTree(path: string, text: string, env: Environment): Setting {
  const { isMap, isScalar, isSeq, LineCounter, parseDocument } = yaml();
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, logLevel: 'silent' });
  const refuse = (reason: string) =>
    new CcxError(`fatal error config file: While parsing config: ${path}: ${reason}`, {
      code: 'CONFIG_FILE',
      category: 'configuration',
      hint: 'check that the file is YAML',
    });
  const [error] = document.errors;
  // Without the parser's words, which quote the line: it may hold a password.
  if (error !== undefined) {
    const { line = 1, col = 1 } = error.linePos?.[0] ?? {};
    throw refuse(`no YAML at line ${line}, column ${col} (${error.code})`);
  }
  if (!isMap(document.contents)) throw refuse('no sections in it');
  const convert = (node: unknown, name: string, line: number, depthLeft: number): Setting => {
    if (depthLeft === 0) throw refuse(`its values nest more than ${depthMax} deep`);
    const at = rangeOf(node);
    const own = at === undefined ? line : lines.linePos(at).line;
    if (isMap(node)) {
      const entries = node.items.map(({ key, value }): [string, Setting] => {
        const text = isScalar(key) ? String(key.value) : String(key);
        const begins = rangeOf(key);
        const keyLine = begins === undefined ? own : lines.linePos(begins).line;
        return [text, convert(value, name === '' ? text : `${name}.${text}`, keyLine, depthLeft - 1)];
      });
      return { name, line, value: new Map(entries), unset: [] };
    }
    if (isSeq(node)) {
      const items = node.items.map((item, index) => {
        const begins = rangeOf(item);
        const itemLine = begins === undefined ? own : lines.linePos(begins).line;
        return convert(item, `${name}[${index}]`, itemLine, depthLeft - 1);
      });
      return { name, line, value: items, unset: [] };
    }
    if (!isScalar(node)) {
      if (node === null || node === undefined) return { name, line, value: undefined, unset: [] };
      throw refuse(`an alias at line ${own}; write the value out`);
    }
    const raw = typeof node.value === 'string' ? node.value : (node.source ?? String(node.value ?? ''));
    const { text, unset } = node.value === null ? { text: '', unset: [] } : fillIn(raw, env);
    return { name, line: own, value: text === '' ? undefined : text, unset };
  };
  return convert(document.contents, '', 1, depthMax);
}

function rangeOf(node: unknown): number | undefined {
  return (node as { readonly range?: readonly [number, number, number] | null } | null | undefined)?.range?.[0];
}

/** `$NAME`, `${NAME}`, `${NAME:default}` and `$$`. `${NAME:-x}` is no shell: its default is `-x`. */
export function fillIn(text: string, env: Environment): { readonly text: string; readonly unset: readonly string[] } {
  const unset: string[] = [];
  const filled = text.replaceAll(
    /\$(?:(\$)|([a-z_][a-z0-9_]*)|\{([a-z_][a-z0-9_]*)(?::([^}]*))?\})/gi,
    (whole, dollar: string | undefined, bare: string | undefined, braced: string | undefined, fallback?: string) => {
      if (dollar !== undefined) return '$';
      const name = bare ?? braced!;
      const value = env[name] ?? fallback;
      if (value === undefined) unset.push(name);
      return value ?? whole;
    },
  );
  return { text: filled, unset };
}
