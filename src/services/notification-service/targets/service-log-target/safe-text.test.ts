/** Hostile values of an archive inside texts for people: consumers.md G11, G13, G14. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import markdownIt from 'markdown-it';
import {
  cleanLine,
  cleanText,
  harmlessDetails,
  safeLinkTarget,
  safeMarkdown,
  safeMarkdownWithin,
} from './safe-text.ts';

/** The text that a template makes of a value: `%` is where it inserts it. */
function filled(template: string, value: string): string {
  const { marked } = JSON.parse(harmlessDetails(JSON.stringify({ marked: value }))) as { readonly marked: string };
  return template.replaceAll('%', () => marked);
}

/** As a reader that makes links of addresses and lets HTML through would show it. */
const reader = markdownIt({ html: true, linkify: true });
reader.linkify.set({ fuzzyLink: false, fuzzyEmail: true });

interface Token {
  readonly type: string;
  readonly content: string;
  readonly attrs: unknown;
  readonly children: readonly Token[] | null;
}

/** What a text is made of, without the words in it. */
function structure(markdown: string): readonly string[] {
  const kinds = (tokens: readonly Token[]): string[] =>
    tokens.flatMap((token) => [`${token.type} ${JSON.stringify(token.attrs)}`, ...kinds(token.children ?? [])]);
  const all = kinds(reader.parse(markdown, {}));
  return all.filter((kind) => !/^(text|text_special|softbreak) /.test(kind));
}

/** The words of a text as its reader shows them. */
function words(markdown: string): string {
  const text = (tokens: readonly Token[]): string =>
    tokens.map((token) => (token.children === null ? token.content : text(token.children))).join(' ');
  return text(reader.parse(markdown, {})).replaceAll(/\s+/g, '');
}

const template = [
  '# Title',
  '',
  'Pool % has **%** and `%` (%), see [a %](https://ok.example) and [evil] or [x][evil].',
  '',
  '* `%`',
  '* %',
  '  * **%** in `%`',
  '',
  '%',
  '',
  '| a | b |',
  '|---|---|',
  '| % | `x` |',
  '',
  '~~~',
  '$ oc describe %',
  '%',
  '~~~',
  '```',
  '%',
  '```',
  'the end',
].join('\n');

const hostile: readonly string[] = [
  '[click](https://evil.example)',
  '![x](https://evil.example/?c=1)',
  '[click][evil]',
  '![x][evil]',
  '[evil]',
  '[evil]: https://evil.example',
  'a`\n\n[Log in now]: https://evil.example/phish\n\n[Log in now]\n\n`',
  '`` ` ``',
  '```\n[x](https://evil.example)\n```',
  '~~~',
  '~~~\n<b>x</b>',
  'https://evil.example/phish',
  'see www.evil.example now',
  'mail me@evil.example',
  '_www.evil.example',
  'a_www.evil.example',
  'me@.evil.example',
  'me@évil.example',
  '<1@localhost>',
  '<+@evil>',
  '<https://evil.example>',
  '<script>alert(1)</script>',
  '<!-- x',
  '<img src=https://evil.example>',
  '# heading',
  '- list',
  '1. list',
  '> quote',
  '===',
  '---',
  '    code',
  '\tcode',
  '**bold** _under_ ~~gone~~',
  '| a | b |',
  '\\[click](https://evil.example)',
  'ends with \\',
  '\\',
  '&#91;click&#93;(https://evil.example)',
  '*',
  '_',
  'x]: https://evil.example',
  '\u202e[moc.live//:sptth]',
];

describe('G14: in values, markup is text', () => {
  for (const value of hostile) {
    test(JSON.stringify(value), () => {
      const text = safeMarkdown(filled(template, value));
      assert.deepEqual(structure(text), structure(safeMarkdown(filled(template, 'x'))), text);
      assert.doesNotMatch(text, /https?:\/\/evil|www\.evil|me@\.?[eé]vil|\u202e/);
      assert.doesNotMatch(text, /[\ufdd0-\ufdef]/);
    });
  }

  test('whatever it is made of', () => {
    const piece = fc.constantFrom(
      ...'`[]()<>*_~|\\&#-+=.!:/@"\n \tab1'.split(''),
      'http://e.x',
      'www.',
      '[a]: ',
      '~~~',
      '```',
    );
    const values = fc.array(piece, { minLength: 1, maxLength: 14 }).map((pieces) => pieces.join(''));
    const plain = structure(safeMarkdown(filled(template, 'x')));
    fc.assert(
      fc.property(
        values.filter((value) => value.trim() !== ''),
        (value) => {
          const text = safeMarkdown(filled(template, value));
          assert.deepEqual(structure(text), plain, text);
        },
      ),
      { numRuns: 1_000 },
    );
  });

  test('also where the text is cut, wherever that is', () => {
    const text = filled('Pool `%` and **%** are paused:\n* `%`\n', '[é](https:/evil.example) <b> *x* 😀');
    const whole = safeMarkdown(text);
    for (let bytes = 0; bytes <= Buffer.byteLength(whole); bytes += 1) {
      const part = safeMarkdownWithin(text, bytes);
      assert.ok(Buffer.byteLength(part) <= bytes && part.isWellFormed(), part);
      assert.ok(bytes - Buffer.byteLength(part) < 24, part);
      assert.ok(!structure(part).some((kind) => /^(link|image|html)/.test(kind)), part);
      assert.doesNotMatch(part, /(?<!\\)\\$/);
    }
    assert.equal(safeMarkdownWithin(text, 10_000), whole);
  });

  test('an address ends before a full stop of the template', () => {
    assert.equal(safeMarkdown(filled('See %.', 'www')), 'See ww w.');
  });

  test('and reads as it is', () => {
    for (const value of [
      '[click] (x) `y`',
      'my_node_1.example.com',
      '*x* <b> a_b _c_ #1 & &amp; \\[',
      'a < b <= 3 && c > 4',
      '10%',
    ]) {
      assert.equal(words(safeMarkdown(filled('Pool % is.', value))), `Pool ${value} is.`.replaceAll(/\s+/g, ''));
    }
    assert.equal(safeMarkdown(filled('`%`', 'my_node-1[0]*|\\d')), '`my_node-1[0]*|\\d`');
    assert.equal(safeMarkdown(filled('`%`', 'a`b\nc')), "`a'b c`");
    assert.equal(
      cleanLine(filled('Node % is degraded', 'my-node_1.example.com')),
      'Node my-node_1.example.com is degraded',
    );
  });

  test('also in one line of plain text, and in names of members', () => {
    assert.equal(cleanLine(filled('%', '[x](https://evil.example)')), '\\[x\\](https:/ /evil.example)');
    const details = JSON.parse(harmlessDetails('{"labels":{"[a](http://b)":1}}')) as { readonly labels: object };
    assert.equal(cleanLine(Object.keys(details.labels).join()), '\\[a\\](http:/ /b)');
  });

  test('also where it is escaped in JSON', () => {
    for (const json of ['"\\u003Cscript\\u003e"', '"<\\u0073cript>"']) {
      assert.equal(safeMarkdown(JSON.parse(harmlessDetails(json)) as string), '\\<script>');
    }
    assert.equal(safeMarkdown(JSON.parse(harmlessDetails('"https:\\/\\/evil"')) as string), 'https:/ /evil');
  });

  test('a stand-in in the archive stands for nothing', () => {
    assert.equal(safeMarkdown(filled('%', 'a\ufdd0\ufdd3b')), 'ab');
  });
});

test('what cannot act stays byte for byte, numbers of any size among it', () => {
  const details =
    '{"n":123456789012345678901234567890,"f":1.0,"t":"a < b <= 3","path":"C:\\\\dir","list":[1,[2]],"u":"\\u010d"}';
  assert.equal(harmlessDetails(details), details);
});

test('any details stay JSON of the same shape', () => {
  const shape = (value: unknown): unknown => {
    if (typeof value === 'string') return 'text';
    return typeof value === 'object' && value !== null ? Object.values(value).map(shape) : value;
  };
  // Two names of members may become one.
  const details = fc.json().filter((json) => !/[`[\]<>*_~|\\&#@:/!\s]"\s*:/.test(json));
  fc.assert(
    fc.property(details, (json) => {
      const harmless = JSON.parse(harmlessDetails(json)) as unknown;
      assert.deepEqual(shape(harmless), shape(JSON.parse(json)));
      assert.doesNotMatch(JSON.stringify(harmless), /<[a-z/!?]|\]\(|`/i);
    }),
  );
});

test('a megabyte of back-slashes or back-ticks costs no time', () => {
  assert.ok(harmlessDetails(`"${'\\\\'.repeat(500_000)}\\u003cb"`).length > 500_000);
  assert.ok(safeMarkdown(filled('`%`', '`'.repeat(500_000))).length >= 500_000);
});

test('G14: links lead to an allowed scheme or nowhere', () => {
  const cases: Readonly<Record<string, string>> = {
    '[a](https://ok/x?a=1&b=2#c)': '[a](https://ok/x?a=1&b=2#c)',
    '[a](http://ok) [b](mailto:a@b) [c](#here) [d](/there) [e](there)':
      '[a](http://ok) [b](mailto:a@b) [c](#here) [d](/there) [e](there)',
    '[a](javascript:alert(1))': '[a](#))',
    '[a]( JavaScript:alert)': '[a]( #)',
    '[a](<javascript:alert>)': '[a](<#>)',
    '[a](java&#115;cript:x)': '[a](#)',
    '[a](javascript&colon;x)': '[a](#)',
    '[a](java\\script:x)': '[a](#)',
    '[a](data:text/html,x)': '[a](#)',
    '![a](file:///etc)': '![a](#)',
    '[a]: vbscript:x': '[a]: #',
    '[a]: https://ok': '[a]: https://ok',
  };
  for (const [text, expected] of Object.entries(cases)) assert.equal(safeMarkdown(text), expected);
});

test('what the rule’s author wrote stays', () => {
  const text = 'Use `oc get node <name>`:\n\n```\ncat <<EOF\n<b>x</b>\nEOF\n```\n* a **b**\t<br>\n';
  assert.equal(safeMarkdown(text), text);
});

test('G11: control characters and lone surrogates go, line ends become one kind', () => {
  assert.equal(cleanText('a\u0000b\u001b[31m\r\nc\td\rx\ud800y\u0085'), 'ab[31m\nc\td\nx\ufffdy');
  assert.equal(cleanLine('  two\n lines\u0000 '), 'two lines');
});

test('G13: right-to-left text and combining marks are text', () => {
  assert.equal(cleanText('שלום e\u0301 😀'), 'שלום e\u0301 😀');
});

test('G14: our own link cannot be ended early and keeps bars and dots', () => {
  assert.equal(
    safeLinkTarget('https://c/r/a.b.x|KEY) [evil](javascript:x "t"\n'),
    'https://c/r/a.b.x|KEY%29%20%5Bevil%5D%28javascript:x%20%22t%22%0A',
  );
  const usual =
    'https://console.redhat.com/openshift/insights/advisor/recommendations/ccx_rules_ocp.external.rules.x|KEY_1';
  assert.equal(safeLinkTarget(usual), usual);
});
