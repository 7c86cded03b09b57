/** What is found in a template without its data; everything that renders is let through. Source: data-pipeline.md 8.6. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkTemplate } from './check-template.ts';

const right: readonly string[] = [
  '',
  'no template: { } }} { {',
  'Node{{?pydata.nodes.length>1}}s{{?}} bad',
  '{{~ pydata.nodes :n:i}}{{=i}}:{{=n["name"]}};{{~}}',
  '{{~pydata.nodes:n}}{{?n.a}}{{=n.name}}{{??n.b}}b{{??}}c{{?}}{{~}}',
  '{{?pydata.v==1}}one{{??pydata.v==2}}two{{??}}many{{?}}',
  '{{ let sum = 0; for (const n of pydata.n) { sum += n; }}}{{=sum}}',
  '{{=pydata.map((a) => ({ a }))}}',
  '{{? pydata.v\n}}yes{{?\n}}',
  '{{!pydata.h}} {{=pydata.a ? "x" : \'y\'}}',
];

for (const text of right) {
  test(`nothing is wrong with ${JSON.stringify(text)}`, () => assert.equal(checkTemplate(text), undefined));
}

const wrong: readonly (readonly [text: string, line: number, message: RegExp])[] = [
  ['a\n{{?pydata.a}}\n\nb', 2, /\{\{\? … \}\} has no \{\{\?\}\}/],
  ['{{~pydata.a:n}}\n{{=n}}', 1, /\{\{~ … \}\} has no \{\{~\}\}/],
  ['{{~pydata.a:n}}{{?n}}{{~}}{{?}}', 1, /\{\{~\}\} ends no loop/],
  ['\n{{?}}', 2, /\{\{\?\}\} ends no condition/],
  ['\n\n{{??}}', 3, /is in no condition/],
  ['{{~pydata.a}}{{~}}', 1, /a loop is/],
  ['\n{{=pydata.}}', 2, /\{\{=pydata\. is no expression: Unexpected token/],
  ['{{?pydata.a ==}}x{{?}}', 1, /is no expression/],
  ['{{~ pydata.[0] :n}}{{~}}', 1, /is no expression/],
  ['fine\n{{=pydata.a', 2, /\{\{ is never closed/],
  ['{{=pydata.a}}\n{{=pydata.b}}\n{{', 3, /\{\{ is never closed/],
  ['{{##def.a:b#}}', 1, /definitions/],
  ['{{}}', 1, /empty/],
];

for (const [text, line, message] of wrong) {
  test(`a mistake is found on its line: ${JSON.stringify(text)}`, () => {
    const found = checkTemplate(text);
    assert.equal(found?.line, line);
    assert.match(found?.message ?? '', message);
  });
}
