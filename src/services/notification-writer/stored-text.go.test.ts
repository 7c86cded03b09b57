/**
 * What becomes of a message, and the text that is stored of its report, against Go's own `encoding/json` and `time`, which is what the
 * reference's writer consists of: over generated messages, spelled in every way that JSON allows and in some that it does not.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { askGo, type GoAnswer } from '../../../test/support/go/reference-writer.ts';
import { reportCluster, reportMessage } from '../../../test/support/report-messages.ts';
import { jsonSpace, spaced, spelledJson, spelledString } from '../../../test/support/spelled-json.ts';
import { isLenientUuid, parseOcpResults } from '../../contracts/parse-ocp-results.ts';
import { shrinkReportText } from '../../contracts/shrunk-report.ts';
import { parseRfc3339 } from '../../encoding/rfc3339.ts';

/** U+E000 to U+E0FF stand for a single byte each, so that a generated text can hold what is not UTF-8. */
function bytesOf(text: string): Buffer {
  const parts = text.split(/([\ue000-\ue0ff])/);
  return Buffer.concat(
    parts.map((part, at) => (at % 2 === 0 ? Buffer.from(part) : Buffer.of(part.charCodeAt(0) & 0xff))),
  );
}

/** What both sides say of a document, in the same words. */
function ours(document: Buffer): unknown {
  const parsed = parseOcpResults(document);
  if (parsed.kind === 'refused') {
    const { error, requestId } = parsed.refused;
    if (error.code === 'REPORT_CLUSTER_NOT_UUID') return { refused: 'cluster', requestId };
    if (error.code === 'REPORT_WRONG_TYPE') return { refused: 'type', requestId };
    const missing = /missing (?:required attribute '|key )(\w+)/.exec(error.message)?.[1];
    if (missing !== undefined) return { refused: missing, requestId };
    return { refused: 'syntax', requestId, error: error.message };
  }
  const { orgId, accountNumber, clusterName, lastChecked, version, requestId, report } = parsed.report;
  const { text, originalBytes } = shrinkReportText(report);
  const moment = parseRfc3339(lastChecked ?? '');
  return {
    attributes: [orgId, accountNumber, clusterName, lastChecked ?? '', version, requestId],
    text: text.toString('latin1'),
    originalBytes,
    moment: moment && { micros: moment.micros, nanos: /\.(\d{9})Z$/.exec(moment.canonical)?.[1] },
  };
}

function gos(answer: GoAnswer): unknown {
  const { Outcome, RequestID: requestId, ClusterName, Moment } = answer;
  if (Outcome === 'syntax') return { refused: Outcome, requestId, error: answer.Error };
  const beforeCluster = ['type', 'OrgID', 'AccountNumber', 'ClusterName', 'Report'];
  if (beforeCluster.includes(Outcome)) return { refused: Outcome, requestId };
  if (!isLenientUuid(ClusterName ?? '')) return { refused: 'cluster', requestId };
  if (Outcome !== 'received') return { refused: Outcome, requestId };
  return {
    attributes: [answer.OrgID, answer.AccountNumber, ClusterName, answer.LastChecked, answer.Version, requestId],
    text: Buffer.from(answer.Text ?? '', 'base64').toString('latin1'),
    originalBytes: answer.OriginalBytes,
    moment: Moment
      ? {
          micros: BigInt(Moment.Seconds) * 1_000_000n + BigInt(Math.floor(Moment.Nanos / 1000)),
          nanos: String(Moment.Nanos).padStart(9, '0'),
        }
      : undefined,
  };
}

const answered = { stored: 0, refused: 0, timed: 0 };

async function assertSameAsGo(texts: readonly string[]): Promise<void> {
  const documents = texts.map(bytesOf);
  const answers = await askGo(documents);
  answers.forEach((answer, at) => {
    assert.deepEqual(
      ours(documents[at]!),
      gos(answer),
      `${JSON.stringify(texts[at]).slice(0, 4_000)}: ${answer.Error}`,
    );
    answered[answer.Outcome === 'received' ? 'stored' : 'refused'] += 1;
    if (answer.Moment) answered.timed += 1;
  });
}

/** A question to Go costs the way there and back, so that each run asks about many documents; a failure is shrunk to the one that failed. */
async function assertAllSameAsGo(documents: fc.Arbitrary<string>, runs: number): Promise<void> {
  const many = fc.array(documents, { minLength: 1, maxLength: 120, size: 'max' });
  await fc.assert(fc.asyncProperty(many, assertSameAsGo), { numRuns: runs });
}

/** Mostly one of the first, seldom one of the second. */
function mostly(usual: fc.Arbitrary<string>, unusual: fc.Arbitrary<string>, weight = 24): fc.Arbitrary<string> {
  return fc.oneof({ weight, arbitrary: usual }, { weight: 1, arbitrary: unusual });
}

const brokenUtf8 = ['\ue0ff', '\ue0e2', '\ue0e2\ue080', '\ue0ed\ue0a0\ue080', '\ue0f0\ue09f', '\ue0c0\ue0af', '\ue0bf'];
const character = fc.oneof(
  fc.constantFrom(
    'a',
    'B',
    '0',
    ' ',
    '<',
    '>',
    '&',
    "'",
    '\u007f',
    '\u2028',
    '\u2029',
    '\u20ac',
    '\uffff',
    '\u{1f600}',
  ),
  fc.constantFrom('\ufffd', '\ufeff', '\u00e9', 'e\u0301', '\u0130', '\u017f', '\u212a', ...brokenUtf8),
  fc.constantFrom('\\"', '\\\\', '\\/', '\\b', '\\f', '\\n', '\\r', '\\t', '\\u003c', '\\u003C', '\\u0000', '\\u001f'),
  fc.constantFrom('\\u2028', '\\u2029', '\\ud800', '\\uDFFF', '\\ud83d\\ude00', '\\ude00\\ud83d', '\\ud83d\\u0041'),
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 1 }).filter((one) => !/["\\\ue000-\ue0ff]/.test(one)),
);
const text = spelledString(character);
const json = spelledJson(text, 3);

const reportKeys = ['fingerprints', 'reports', 'system', 'skips', 'info', 'pass', 'analysis_metadata'];
const reportKey = fc.oneof(
  text,
  fc.constantFrom(...reportKeys, 'System', 'a', 'A', 'ab', 'a<b', '10', '9', '__proto__').map((key) => `"${key}"`),
  fc.constantFrom('"\\u0073ystem"', '"repo\\u0072ts"', '""', '"\\u0000"', '"a\\u003cb"'),
);

function objectOf(members: readonly (readonly [key: string, value: string])[], space: string): string {
  return `{${members.map(([key, value]) => `${space}${key}${space}:${space}${value}`).join(`${space},`)}${space}}`;
}

/** These members in any order among others. */
function shuffled(
  required: readonly fc.Arbitrary<readonly [string, string]>[],
  others: fc.Arbitrary<readonly [string, string]>,
  othersMax: number,
): fc.Arbitrary<string> {
  return fc
    .tuple(fc.tuple(...required), fc.array(others, { maxLength: othersMax }), jsonSpace, fc.nat(40))
    .chain(([all, more, space, left]) => {
      // Once in a while one of the required is not there.
      const members = [...all.filter((_, at) => at !== left), ...more];
      return fc
        .shuffledSubarray(members, { minLength: members.length })
        .map((inAnyOrder) => objectOf(inAnyOrder, space));
    });
}

const report = mostly(
  shuffled(
    ['fingerprints', 'reports', 'system'].map((key) => fc.tuple(fc.constant(`"${key}"`), json)),
    fc.tuple(reportKey, json),
    6,
  ),
  fc.constantFrom('null', '[]', '"{}"', '1', 'true', '{}'),
);

const twoDigits = (max: number) => fc.nat(max).map((number) => String(number).padStart(2, '0'));
const time = fc
  .tuple(
    fc.constantFrom('0000', '0001', '1900', '1970', '2000', '2023', '2024', '9999'),
    twoDigits(13),
    fc.oneof(twoDigits(32), fc.constantFrom('28', '29', '30', '31')),
    fc.constantFrom('T', 'T', 'T', 'T', 't', ' '),
    fc.oneof(twoDigits(25), fc.constantFrom('7', '007', '23')),
    twoDigits(61),
    twoDigits(61),
    fc.constantFrom('', '', '.', ',5', '.1', '.000000001', '.123456789', '.9999999999', `.${'1'.repeat(40)}`),
    fc.constantFrom(
      'Z',
      'Z',
      'Z',
      'z',
      '',
      '+00:00',
      '-00:00',
      '+02:00',
      '-23:59',
      '+24:60',
      '+25:00',
      '+0200',
      '-1:00',
    ),
  )
  .map(
    ([year, month, day, t, hour, minute, second, fraction, zone]) =>
      `${year}-${month}-${day}${t}${hour}:${minute}:${second}${fraction}${zone}`,
  );
const usualTime = fc
  .tuple(fc.integer({ min: 0, max: 4e12 }), fc.constantFrom('Z', '+05:30', '-11:00'))
  .map(([at, zone]) => new Date(at).toISOString().replace('Z', zone));

const wrongNumbers = fc.constantFrom(
  '4294967296',
  '-1',
  '-0',
  '1.0',
  '1e2',
  '"1"',
  'null',
  'true',
  '[]',
  '{}',
  '18446744073709551616',
);
const wrongStrings = fc.constantFrom('1', 'null', 'false', '[]', '{}');
const attributes = {
  OrgID: mostly(fc.constantFrom('0', '1', '11789772', '2147483648', '4294967295'), wrongNumbers),
  AccountNumber: mostly(fc.constantFrom('0', '7', '4294967295'), wrongNumbers),
  ClusterName: mostly(
    fc
      .constantFrom(
        reportCluster,
        reportCluster.replaceAll('-', ''),
        `urn:uuid:${reportCluster}`,
        `\\u0000${reportCluster}\\n`,
      )
      .map((name) => `"${name}"`),
    fc.oneof(wrongStrings, text),
  ),
  Report: report,
  LastChecked: mostly(
    fc.oneof(usualTime, time).map((written) => `"${written}"`),
    fc.oneof(wrongStrings, text),
  ),
  Version: mostly(fc.constantFrom('2', '1', '0', '255'), fc.oneof(wrongNumbers, fc.constant('256'))),
  RequestId: mostly(text, wrongStrings),
  Metadata: json,
};

/** As the message's producer writes it, or as Go takes it all the same. */
function spellings(name: string): fc.Arbitrary<string> {
  const escaped = `\\u${name.charCodeAt(0).toString(16).padStart(4, '0')}${name.slice(1)}`;
  const folded = name.replace(/s/gi, '\u017f').replace(/k/gi, '\u212a');
  return mostly(
    fc.constant(name),
    fc.constantFrom(name.toLowerCase(), name.toUpperCase(), escaped, folded, ` ${name}`, name.replace(/i/gi, '\u0131')),
    8,
  ).map((spelled) => `"${spelled}"`);
}

const attribute = (name: keyof typeof attributes) => fc.tuple(spellings(name), attributes[name]);
const anyAttribute = fc.oneof(
  ...(Object.keys(attributes) as (keyof typeof attributes)[]).map(attribute),
  fc.tuple(text, json),
);
const message = spaced(
  shuffled(
    (['OrgID', 'AccountNumber', 'ClusterName', 'Report', 'LastChecked'] as const).map(attribute),
    anyAttribute,
    4,
  ),
);

test('what is stored of a message is what Go makes of it, byte for byte, and so is what is refused', async () => {
  await assertAllSameAsGo(message, 100);
  assert.ok(answered.stored > 2_000, `${answered.stored} were stored`);
  assert.ok(answered.refused > 200, `${answered.refused} were refused`);
  assert.ok(answered.timed > 500, `${answered.timed} had a time`);
});

test('a message with a byte changed, lost, doubled or cut off is judged as Go judges it, with the same words', async () => {
  const damage = fc.record({
    at: fc.nat(),
    kind: fc.constantFrom('change', 'lose', 'double', 'cut'),
    by: fc.constantFrom(
      '"',
      '\\',
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      '0',
      '-',
      '.',
      'e',
      'x',
      't',
      ' ',
      '\u0000',
      '\n',
      '\ufeff',
      '\ue0ff',
      'é',
    ),
  });
  const damaged = fc.tuple(message, damage).map(([whole, { at, kind, by }]) => {
    const position = at % (whole.length + 1);
    if (kind === 'cut') return whole.slice(0, position);
    const rest = kind === 'double' ? position : position + 1;
    return whole.slice(0, position) + (kind === 'lose' ? '' : by) + whole.slice(rest);
  });
  await assertAllSameAsGo(damaged, 40);
});

test('what is no message at all is judged as Go judges it', async () => {
  await assertSameAsGo([
    '',
    ' ',
    'null',
    ' null ',
    '[]',
    '"x"',
    '1',
    '01',
    '-',
    '1.',
    '1e',
    'tru',
    'nul',
    '{',
    '{}',
    '{}{}',
    '{} x',
    '\ufeff{}',
  ]);
  await assertAllSameAsGo(fc.oneof(json, fc.string({ unit: 'binary' })), 10);
});

test('nesting up to the limit is stored and one level more is refused, wherever it is', async () => {
  const nested = (levels: number, open: string, close: string) => `${open.repeat(levels)}1${close.repeat(levels)}`;
  const documents = [-2, -1, 0, 1, 2].flatMap((more) =>
    [['[', ']'] as const, ['{"a":', '}'] as const, ['[{"a" : ', '}]'] as const].flatMap(([open, close]) => {
      const deep = (around: number) =>
        nested(Math.floor((10_000 - around + more) / (open.length > 6 ? 2 : 1)), open, close);
      return [
        reportMessage({ Report: `{"fingerprints":1,"reports":${deep(2)},"system":1}` }),
        reportMessage({ Report: `{"fingerprints":1,"reports":1,"system":${deep(2)}}` }),
        reportMessage({ Metadata: deep(1) }),
        deep(0),
      ];
    }),
  );
  await assertSameAsGo(documents);
});
