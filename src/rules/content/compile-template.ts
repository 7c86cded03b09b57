/**
 * Template text → function. The language is doT with the differences of the hosted renderer; existing rule content is written for it.
 * Source: data-pipeline.md 8.6.
 *
 * Templates are code: they may hold any JavaScript expression. They are compiled in a realm of their own, so that they see the language but
 * neither Node's globals nor ours. What loops or fills memory is stopped from outside: templates are rendered in children of the runner
 * pool only, which hold no credentials (a test holds that nothing else imports this file). The data they are given is not trusted.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { constants, createContext, runInContext } from 'node:vm';

/** Called with a report item's `details` as JSON; the template knows them as `pydata`. Throws whatever the template's code throws. */
type Template = (details: string) => string;

/** Throws a SyntaxError when the text is no valid template. */
export type TemplateCompiler = (text: string) => Template;

/** Compiled templates that are kept: more than a rule set has. */
const compiledTemplatesMax = 5_000;

/**
 * Costs some milliseconds; make one and keep it. It compiles each text once; the oldest is forgotten when there are too many, as after many
 * changes of the content.
 */
export function createTemplateCompiler(): TemplateCompiler {
  const compileInRealm = openRealm();
  const known = new Map<string, Template>();
  return (text) => {
    const present = known.get(text);
    if (present !== undefined) return present;
    const template = compileInRealm(stripTemplate(text));
    known.set(text, template);
    if (known.size > compiledTemplatesMax) known.delete(known.keys().next().value!);
    return template;
  };
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

/**
 * doT compiles with the `Function` of the realm that it was loaded in, so loading it in another realm is nearly all there is to do. Only texts
 * go in and out: by any object of ours, its constructor's constructor, a template would be in our realm.
 */
function openRealm(): TemplateCompiler {
  const realm = createContext(constants.DONT_CONTEXTIFY, {
    name: 'rule templates',
    codeGeneration: { strings: true, wasm: false },
  });
  const source = readFileSync(createRequire(import.meta.url).resolve('dot/doT.js'), 'utf8');
  runInContext('var module = { exports: {} };', realm);
  runInContext(source, realm, { filename: 'doT.js' });
  return runInContext(`(${compilerInRealm})(module.exports)`, realm);
}

/** Its text is run in the realm and sees nothing from outside itself. */
const compilerInRealm = String.raw`(doT) => {
  const { parse } = JSON;
  const text = String;
  // doT's own settings with three changes: the parameter's name, {{! inserts like {{= (the hosted renderer does not encode), and no
  // definitions or includes. Stripping is done before, since doT's would join lines.
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
  return (source) => {
    const template = doT.template(source, settings);
    return (details) => text(template(parse(details)));
  };
}`;
