/** The template language, vector by vector. Source: data-pipeline.md 8.6. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createTemplateCompiler } from './compile-template.ts';

const compileText = createTemplateCompiler();
const compile = (text: string) => (details: unknown) => compileText(text)(JSON.stringify(details));
const nodes = [{ name: 'a' }, { name: 'b' }];

const vectors: readonly (readonly [title: string, template: string, details: unknown, result: string])[] = [
  ['a condition', 'Node{{?pydata.nodes.length>1}}s{{?}} bad', { nodes: [1, 2] }, 'Nodes bad'],
  ['a loop with an index', '{{~ pydata.nodes :n:i}}{{=i}}:{{=n["name"]}};{{~}}', { nodes }, '0:a;1:b;'],
  ['a loop without an index', '{{~pydata.nodes:n}}{{=n.name}}{{~}}', { nodes }, 'ab'],
  ['a loop over nothing', '{{~ pydata.none :n}}x{{~}}ok', {}, 'ok'],
  ['else-if', '{{?pydata.v==1}}one{{??pydata.v==2}}two{{??}}many{{?}}', { v: 2 }, 'two'],
  ['else', '{{?pydata.v==1}}one{{??pydata.v==2}}two{{??}}many{{?}}', { v: 3 }, 'many'],
  ['an undefined value', 'v={{=pydata.missing}}', {}, 'v=undefined'],
  ['a null value', 'v={{=pydata.v}}', { v: null }, 'v=null'],
  ['blanks at both ends', '   lead\n  x  \n\ty   ', {}, ' lead\n  x  \n\ty '],
  ['a block comment', 'a /* c \n d */ b', {}, 'a  b'],
  ['insertion that is not encoded', '{{!pydata.h}}', { h: '<b>&' }, '<b>&'],
  ['text beyond ASCII', 'č {{=pydata.a}}', { a: 'č' }, 'č č'],
  ['back-slashes in text and data', 'C:\\temp {{=pydata.p}}', { p: 'C:\\new\\table' }, 'C:\\temp C:\\new\\table'],
  ['quotes', `it's "{{=pydata['q']}}"`, { q: `'"` }, `it's "'""`],
  ['a line end before the closing braces', '{{? pydata.v\n}}yes{{?\n}}', { v: true }, 'yes'],
  ['raw statements', '{{ let sum = 0; for (const n of pydata.n) sum += n; }}{{=sum}}', { n: [1, 2, 3] }, '6'],
  ['newer language features', '{{?pydata.n.includes(2)}}in{{?}}', { n: [1, 2] }, 'in'],
  ['line structure', '* {{=pydata.a}}\n\n~~~\n$ oc get\n~~~\n', { a: 1 }, '* 1\n\n~~~\n$ oc get\n~~~\n'],
  ['template syntax in data', '{{=pydata.a}}', { a: '{{=process.exit()}}' }, '{{=process.exit()}}'],
];

for (const [title, template, details, result] of vectors) {
  test(`renders ${title}`, () => assert.equal(compile(template)(details), result));
}

test('a text is compiled once, however often it is needed', () => {
  assert.equal(compileText('about {{=pydata.name}}'), compileText('about {{=pydata.name}}'));
});

test('a template sees neither the process nor the modules of the program', () => {
  assert.equal(
    compile('{{=typeof process}} {{=typeof require}} {{=typeof fetch}}')({}),
    'undefined undefined undefined',
  );
});

for (const way of ['pydata', 'pydata.list', 'this', 'globalThis', 'module', 'arguments', 'module.exports.template']) {
  test(`a template does not come out of its realm by ${way}`, () => {
    const process = `${way}.constructor.constructor("return typeof process")()`;
    assert.equal(compile(`{{=${process}}}`)({ list: [1] }), 'undefined');
  });
}

test('a template that changes the language for the next ones gets nothing of ours into its hands', () => {
  const compileNext = createTemplateCompiler();
  compileNext(`{{
    const seen = globalThis.seen = [];
    const replace = String.prototype.replace;
    String.prototype.replace = function (...given) { seen.push(...given); return replace.apply(this, given); };
    JSON.parse = (...given) => { seen.push(...given); return {}; };
  }}`)('{}');
  const outside = '.map((value) => value.constructor.constructor("return typeof process")()).join()';
  assert.match(compileNext(`x{{=seen${outside}}}`)('{"a":1}'), /^x(undefined,?)+$/);
});

test('what one template leaves behind in the language is not seen by the program', () => {
  compile('{{ Object.prototype.left = 1; }}')({});
  assert.equal('left' in {}, false);
});

test('a text that is no template is a syntax error, and an error in a template is thrown to the caller', () => {
  assert.throws(() => compileText('{{? pydata.a'.concat('}}unclosed')), { name: 'SyntaxError' });
  assert.throws(() => compile('{{=pydata.a.b.c}}')({}), { name: 'TypeError' });
});
