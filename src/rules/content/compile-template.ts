/**
 * Template text → function. The language is doT with the differences of the hosted renderer; existing rule content is written for it.
 * Source: data-pipeline.md 8.6.
 *
 * Templates are trusted like code: they may hold any JavaScript expression. They are compiled in a realm of their own, so that they see
 * the language but neither Node's globals nor ours; this guards against accidents, not against an attacker. The data they are given is
 * not trusted. A template that loops is stopped from outside, by running it in a process with a deadline.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createContext, runInContext } from 'node:vm';

/** Called with a report item's `details`, which the template knows as `pydata`. Throws whatever the template's code throws. */
export type Template = (pydata: unknown) => string;

export interface TemplateCompiler {
  /** Throws a SyntaxError when the text is no valid template. */
  compile(text: string): Template;
}

interface Dot {
  template(text: string, settings: Readonly<Record<string, unknown>>): Template;
}

/** Costs some milliseconds; make one and keep it. */
export function createTemplateCompiler(): TemplateCompiler {
  const dot = loadDot();
  // doT's own settings with three changes: the parameter's name, `{{!` inserts like `{{=` (the hosted renderer does not encode), and
  // no definitions or includes. Stripping is done before, since doT's would join lines.
  const settings = {
    evaluate: /\{\{([\s\S]+?(\}?)+)\}\}/g,
    interpolate: /\{\{[=!]([\s\S]+?)\}\}/g,
    conditional: /\{\{\?(\?)?\s*([\s\S]*?)\s*\}\}/g,
    iterate: /\{\{~\s*(?:\}\}|([\s\S]+?)\s*:\s*([\w$]+)\s*(?::\s*([\w$]+))?\s*\}\})/g,
    encode: undefined,
    use: undefined,
    define: undefined,
    varname: 'pydata',
    strip: false,
    append: true,
    selfcontained: false,
  };
  return { compile: (text) => dot.template(stripTemplate(text), settings) };
}

/**
 * What the hosted renderer's stripping shows: blanks at the very beginning and end shrink to one, block comments vanish. It turns line
 * ends into two characters first, so that no line but the first and the last is touched.
 */
function stripTemplate(text: string): string {
  return text
    .replace(/^ +/, ' ')
    .replace(/ +$/, ' ')
    .replace(/\/\*[\s\S]*?\*\//g, '');
}

/** doT compiles with the `Function` of the realm that it was loaded in, so loading it in another realm is all there is to do. */
function loadDot(): Dot {
  const source = readFileSync(createRequire(import.meta.url).resolve('dot/doT.js'), 'utf8');
  const realm = createContext(
    { module: { exports: {} } },
    { name: 'rule templates', codeGeneration: { strings: true, wasm: false } },
  );
  runInContext(source, realm, { filename: 'doT.js' });
  return (realm['module'] as { exports: Dot }).exports;
}
