/** Texts of packs: what they become in the language of rule content, how that renders, and that nothing else can be written. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createTemplateCompiler } from '../content/compile-template.ts';
import { compileText } from './compile-text.ts';

const compile = createTemplateCompiler();
const names = ['n', 'names', 'text', 'nodes', 'missing', 'constructor', '__proto__', 'max_detail_length_error'];
const details = {
  n: 3,
  names: ['a', 'b'],
  text: 'it\'s "quoted" \\ {{=pydata.n}}',
  nodes: [{ name: 'x', roles: ['one'] }, { name: 'y' }],
};

function render(text: string, data: unknown = details): string {
  const { template, faults } = compileText(text, names);
  assert.deepEqual(faults, [], text);
  return compile(template)(JSON.stringify(data));
}

test('paths, conditions and loops say what the rule found', () => {
  for (const [text, expected] of [
    ['{{=pydata.n}} of {{= pydata.names[1] }}', '3 of b'],
    ['{{=pydata["text"]}}', details.text],
    ['{{?pydata.names}}some{{??}}none{{?}}', 'some'],
    ['{{?pydata.n == 1}}one{{??pydata.n > 2 && !(pydata.n >= 4)}}few{{??}}many{{?}}', 'few'],
    ['{{?size(pydata.names) == 2 && pydata.names.size() == 2}}two{{?}}', 'two'],
    ['{{?has(pydata.missing)}}there{{??}}not{{?}}', 'not'],
    ['{{?"b" in pydata.names}}b{{?}}{{?pydata.n in [1, 2]}}low{{?}}', 'b'],
    ['{{?pydata.text.startsWith("it\'s") && pydata.text.contains("}}")}}yes{{?}}', 'yes'],
    ['{{~pydata.nodes :node :i}}{{?i > 0}}, {{?}}{{=node.name}}{{~node.roles :r}} ({{=r}}){{~}}{{~}}', 'x (one), y'],
    ['config/*/*.json /* and */ {"a": {"b": 1}} it\'s', 'config/*/*.json /* and */ {"a": {"b": 1}} it\'s'],
    ['{{?pydata.text != ":}"}}differs{{?}}', 'differs'],
  ] as const) {
    assert.equal(render(text), expected, text);
  }
});

test('what is not there shows as nothing, and no condition fails over it', () => {
  const text =
    '[{{=pydata.missing.a.b}}{{?pydata.missing.a == 1}}1{{?}}{{?size(pydata.missing) > 0}}2{{?}}{{~pydata.missing :m}}3{{~}}{{?pydata.missing == null}}4{{?}}{{?pydata.missing > 1}}5{{?}}]';
  assert.equal(render(text), '[4]');
  // As the engine replaces details that are too long.
  assert.equal(render('{{?pydata.max_detail_length_error}}many{{?}}', {}), '');
});

test('what every value has without having it is nothing', () => {
  for (const path of [
    'constructor',
    '__proto__',
    'names.constructor.constructor',
    'text.toString',
    'n.__proto__',
    'names.map',
  ]) {
    assert.equal(render(`[{{=pydata.${path}}}{{?pydata.${path}}}there{{?}}]`), '[]', path);
    assert.equal(render(`{{~pydata.nodes :constructor}}[{{=constructor.${path}}}]{{~}}`), '[][]', path);
  }
  assert.equal(render('{{=pydata.constructor}}', JSON.parse('{"constructor": "own"}')), 'own');
});

test('anything else is refused where it stands', () => {
  for (const [text, index, expected] of [
    ['a {{ for (;;) {} }}', 2, /do not know "\{\{ for/],
    ['{{# def.x }}', 0, /do not know/],
    ['{{! pydata.n }}', 0, /do not know/],
    ['{{=pydata.n + 1}}', 3, /"pydata.n \+ 1" is no path/],
    ['{{=process.env}}', 3, /nothing is called "process" here/],
    ['{{=pydata.names.join(",")}}', 3, /is no path/],
    ['{{=pydata[pydata.n]}}', 3, /is no path/],
    ['{{=pydata["n"]+"}}"}}', 3, /is no path/],
    ['{{?pydata.names.exists(x, x == 1)}}{{?}}', 3, /does not know "pydata.names.exists/],
    ['{{?pydata.n == 1 ? true : false}}{{?}}', 3, /does not know/],
    ['{{?(function(){})()}}{{?}}', 4, /Reserved identifier: function/],
    ['{{?globalThis}}{{?}}', 3, /nothing is called "globalThis"/],
    ['{{?pydata.n = 1}}{{?}}', 12, /Unexpected character: =/],
    ['{{~pydata.names}}{{~}}', 0, /no name for what it goes through/],
    ['{{~pydata.names :out}}{{~}}', 0, /"out" cannot be a name/],
    ['{{~pydata.names :x}}{{~}}{{=x}}', 28, /nothing is called "x" here/],
    ['{{?pydata.n}}', 0, /this condition has no end/],
    ['{{~}}', 0, /no loop is open/],
    ['{{??}}', 0, /no condition is open here/],
    ['{{=pydata.n', 0, /is not closed/],
    ['{{=pydata.name}}', 3, /the rule has no detail "name"/],
  ] as const) {
    const { faults } = compileText(text, names);
    assert.ok(
      faults.some((fault) => fault.index === index && expected.test(fault.problem)),
      `${text}: ${JSON.stringify(faults)}`,
    );
  }
});

test('no text and no value can end the expression that it stands in', () => {
  const hostile = ["'+process.exit()+'", '"}}{{ for(;;){} }}', '\\', "\\\\'", '$1', '\u2028', ':x }}', '{{=pydata.n}}'];
  for (const literal of hostile) {
    const written = JSON.stringify(literal);
    const { template, faults } = compileText(`{{?pydata.text == ${written}}}same{{??}}other{{?}}`, names);
    assert.deepEqual(faults, [], literal);
    assert.equal(compile(template)(JSON.stringify({ text: literal })), 'same', literal);
    assert.equal(compile(template)('{"text":"x"}'), 'other', literal);
    assert.equal(render('{{=pydata.text}}', { text: literal }), literal);
  }
});
