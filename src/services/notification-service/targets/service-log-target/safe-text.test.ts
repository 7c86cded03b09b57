/** Hostile values of an archive inside texts for people: consumers.md G11, G13, G14. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { cleanLine, cleanText, harmlessDetails, safeLinkTarget, safeMarkdown } from './safe-text.ts';

/** As a template would insert it. */
function inserted(value: unknown): string {
  return JSON.parse(harmlessDetails(JSON.stringify({ value }))).value as string;
}

test('data cannot begin an HTML tag, however it is escaped in JSON', () => {
  assert.equal(inserted('<script>alert(1)</script>'), '< script>alert(1)< /script>');
  assert.equal(inserted('<!-- --> <?x <https://evil>'), '< !-- --> < ?x < https://evil>');
  assert.equal(JSON.parse(harmlessDetails('"\\u003Cscript\\u003e"')), '< script>');
  assert.equal(JSON.parse(harmlessDetails('"<\\u0073cript>"')), '< script>');
  assert.equal(inserted('ends with <'), 'ends with < ');
});

test('data cannot begin a link or an image', () => {
  assert.equal(inserted('[click](javascript:alert(1))'), '[click] (javascript:alert(1))');
  assert.equal(inserted('![x](https://tracker/?c=1)'), '![x] (https://tracker/?c=1)');
  assert.equal(JSON.parse(harmlessDetails('"[x\\u005D\\u0028data:,x)"')), '[x] (data:,x)');
});

test('comparisons, escaped back-slashes and numbers stay byte for byte', () => {
  const details =
    '{"n":123456789012345678901234567890,"f":1.0,"t":"a < b <= 3","path":"C:\\\\u003cx","list":[1,[2]],"u":"č"}';
  assert.equal(harmlessDetails(details), details);
});

test('any details stay the same JSON but for blanks in strings', () => {
  fc.assert(
    fc.property(fc.json(), (json) => {
      const strip = (text: string) => JSON.stringify(JSON.parse(text)).replaceAll(' ', '');
      assert.equal(strip(harmlessDetails(json)), strip(json));
      assert.doesNotMatch(harmlessDetails(json), /<[a-z/!?]|\]\(/i);
    }),
  );
});

test('a megabyte of back-slashes costs no time', () => {
  const details = `"${'\\\\'.repeat(500_000)}\\u003cb"`;
  assert.ok(harmlessDetails(details).endsWith('\\u003c b"'));
});

test('links lead to an allowed scheme or nowhere', () => {
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

test('control characters and lone surrogates go, line ends become one kind', () => {
  assert.equal(cleanText('a\u0000b\u001b[31m\r\nc\td\rx\ud800y\u0085'), 'ab[31m\nc\td\nx\ufffdy');
  assert.equal(cleanLine('  two\n lines\u0000 '), 'two lines');
});

test('right-to-left text and combining marks are text', () => {
  assert.equal(cleanText('שלום e\u0301 😀'), 'שלום e\u0301 😀');
});

test('our own link cannot be ended early and keeps bars and dots', () => {
  assert.equal(
    safeLinkTarget('https://c/r/a.b.x|KEY) [evil](javascript:x "t"\n'),
    'https://c/r/a.b.x|KEY%29%20%5Bevil%5D%28javascript:x%20%22t%22%0A',
  );
  const usual =
    'https://console.redhat.com/openshift/insights/advisor/recommendations/ccx_rules_ocp.external.rules.x|KEY_1';
  assert.equal(safeLinkTarget(usual), usual);
});
