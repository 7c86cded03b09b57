/**
 * Broken messages of every kind among good ones, as one stream through the service: each is dead-lettered as it came, with a reason that no
 * other fault has, and every good one is stored, those too that only look broken. Source: notification-writer.md 4.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { createTestDatabase, type TestDatabase } from '../../../test/support/postgres.ts';
import {
  reportCluster as cluster,
  type ReportAttributes,
  reportMessage,
} from '../../../test/support/report-messages.ts';
import { startWriterBench } from '../../../test/support/writer-bench.ts';

type Value = string | Buffer | null;
interface Broken {
  readonly what: string;
  readonly value: Value;
  readonly code: string;
  readonly reason: string;
}

/** The reference's own words (notification-writer.md 4.5), with which a reason begins. */
const said = {
  end: 'unexpected end of JSON input',
  missing: (name: string) => `missing required attribute '${name}'`,
  uuid: 'cluster name is not a UUID',
  structure: (key: string) => `Improper report structure, missing key ${key}`,
  future: 'got a message from the future',
};

const whole = reportMessage();
const digits = cluster.replaceAll('-', '');
const nested = (levels: number, open = '[', close = ']') => open.repeat(levels) + close.repeat(levels);
const reportOf = (reports: string, more = '') => `{"fingerprints":[],"reports":${reports},"system":{}${more}}`;
/** U+E000 to U+E0FF stand for single bytes. */
function bytes(text: string): Buffer {
  const parts = text.split(/([\ue000-\ue0ff])/);
  return Buffer.concat(
    parts.map((part, at) => (at % 2 === 0 ? Buffer.from(part) : Buffer.of(part.charCodeAt(0) & 0xff))),
  );
}

/** Text that ends too early. `words`: where Go says something else of it. */
const cut = (what: string, value: string | Buffer, words = said.end): Broken => ({
  what: `cut off ${what}`,
  value,
  code: 'REPORT_NOT_JSON',
  reason: `${words}: it ends after byte ${Buffer.byteLength(value)}`,
});
/** `words`: what Go says of the character behind `before`. */
const notJson = (what: string, value: string | Buffer, before: string, words: string): Broken => ({
  what,
  value,
  code: 'REPORT_NOT_JSON',
  reason: `invalid character ${words}: at byte ${Buffer.byteLength(before)}`,
});
const noValue = (what: string, value: Value, reason: string): Broken => ({
  what,
  value,
  code: 'REPORT_NOT_JSON',
  reason: `${said.end}: ${reason}`,
});
const beginning = 'looking for beginning of value';

const notJsonAtAll: readonly Broken[] = [
  noValue('a tombstone', null, 'there is no value'),
  noValue('an empty value', '', 'the value is empty'),
  noValue('blanks', ' \r\n\t', 'the value is blank'),
  cut('at once', '{'),
  cut('in a name', '{"OrgI'),
  cut('behind a name', '{"OrgID"'),
  cut('behind a colon', '{"OrgID": '),
  cut('in a number', '{"OrgID":12'),
  cut('behind a minus', '{"OrgID":-', "invalid character ' ' in numeric literal"),
  cut('behind a comma', '{"OrgID":1234,'),
  cut('in a text', '{"RequestId":"3nl2vda87ld6e3s25'),
  cut('in an escape', '{"RequestId":"3nl2vd\\', "invalid character ' ' in string escape code"),
  cut('in a long escape', '{"RequestId":"3nl\\u00', "invalid character ' ' in \\u hexadecimal character escape"),
  cut('in a character of two bytes', bytes('{"RequestId":"\ue0c3')),
  cut('in a word', '{"Version":nul', "invalid character ' ' in literal null (expecting 'l')"),
  cut('in the report', '{"Report":{"fingerprints":[],"reports":[{'),
  cut('behind the report', '{"Report":{"fingerprints":[],"reports":[],"system":{}}'),
  cut('by a byte', whole.slice(0, -1)),
  notJson('a word', 'hello', '', `'h' ${beginning}`),
  notJson('XML', '<report/>', '', `'<' ${beginning}`),
  notJson('what a shell leaves of JSON', '{OrgID:1}', '{', "'O' looking for beginning of object key string"),
  notJson('single quotes', "{'OrgID':1}", '{', "'\\'' looking for beginning of object key string"),
  notJson('a comment', `/* report */${whole}`, '', `'/' ${beginning}`),
  notJson('a comment behind', `${whole} // report`, `${whole} `, "'/' after top-level value"),
  notJson('a byte order mark', `\ufeff${whole}`, '', `'ï' ${beginning}`),
  notJson('UTF-16', Buffer.from(whole, 'utf16le'), '{', "'\\x00' looking for beginning of object key string"),
  notJson('UTF-16 with its mark', Buffer.from(`\ufeff${whole}`, 'utf16le'), '', `'ÿ' ${beginning}`),
  notJson('a gzip', gzipSync(whole), '', `'\\x1f' ${beginning}`),
  notJson('a NUL before', `\0${whole}`, '', `'\\x00' ${beginning}`),
  notJson('a NUL behind', `${whole}\0`, whole, "'\\x00' after top-level value"),
  notJson('a NUL in a text', whole.replace('3nl2', '3n\0l2'), whole.split('l2vd')[0]!, "'\\x00' in string literal"),
  notJson('a line break in a text', whole.replace('3nl2', '3\nnl2'), whole.split('nl2')[0]!, "'\\n' in string literal"),
  notJson('a tab in a name', '{"Org\tID":1}', '{"Org', "'\\t' in string literal"),
  notJson('bytes outside of texts', bytes('{"OrgID":\ue0e9}'), '{"OrgID":', `'é' ${beginning}`),
  notJson('900 kB of anything', 'x'.repeat(900_000), '', `'x' ${beginning}`),
  notJson('something behind', `${whole}}`, whole, "'}' after top-level value"),
  notJson('two messages', `${whole}\n${whole}`, `${whole}\n`, "'{' after top-level value"),
  notJson('a comma too many', '{"OrgID":1,}', '{"OrgID":1,', "'}' looking for beginning of object key string"),
  notJson('a comma too many in an array', '{"Metadata":[1,]}', '{"Metadata":[1,', `']' ${beginning}`),
  notJson('a comma too few', '{"OrgID":1 "Version":2}', '{"OrgID":1 ', `'"' after object key:value pair`),
  notJson('a comma too few in an array', '{"Metadata":[1 2]}', '{"Metadata":[1 ', "'2' after array element"),
  notJson('no colon', '{"OrgID" 1}', '{"OrgID" ', "'1' after object key"),
  notJson('no colon inside', '{"Metadata":{"a","b"}}', '{"Metadata":{"a"', "',' after object key"),
  notJson('no value', '{"OrgID":}', '{"OrgID":', `'}' ${beginning}`),
  notJson('a bracket for a brace', '{"OrgID":1]', '{"OrgID":1', "']' after object key:value pair"),
  notJson('a brace for a bracket', '{"Metadata":[1}', '{"Metadata":[1', "'}' after array element"),
  notJson('an escape that is none', '{"RequestId":"\\x41"}', '{"RequestId":"\\', "'x' in string escape code"),
  notJson(
    'an escape of wrong digits',
    '{"RequestId":"\\u00g0"}',
    '{"RequestId":"\\u00',
    "'g' in \\u hexadecimal character escape",
  ),
  notJson('a zero before a number', '{"OrgID":0123}', '{"OrgID":0', "'1' after object key:value pair"),
  notJson('a plus before a number', '{"OrgID":+1}', '{"OrgID":', `'+' ${beginning}`),
  notJson('a number that begins with its point', '{"OrgID":.5}', '{"OrgID":', `'.' ${beginning}`),
  notJson(
    'a number that ends with its point',
    '{"OrgID":1.}',
    '{"OrgID":1.',
    "'}' after decimal point in numeric literal",
  ),
  notJson('a number without an exponent', '{"OrgID":1e}', '{"OrgID":1e', "'}' in exponent of numeric literal"),
  notJson('a hexadecimal number', '{"OrgID":0x1f}', '{"OrgID":0', "'x' after object key:value pair"),
  notJson('digits in groups', '{"OrgID":1_000}', '{"OrgID":1', "'_' after object key:value pair"),
  notJson('no number', '{"OrgID":NaN}', '{"OrgID":', `'N' ${beginning}`),
  notJson('an infinite number', '{"OrgID":-Infinity}', '{"OrgID":-', "'I' in numeric literal"),
  notJson('True as in Python', '{"Version":True}', '{"Version":', `'T' ${beginning}`),
  notJson('a word with a wrong letter', '{"Version":nuLL}', '{"Version":nu', "'L' in literal null (expecting 'l')"),
  notJson(
    'a report too deep',
    `{"Report":{"reports":${nested(9_999)}}}`,
    `{"Report":{"reports":${'['.repeat(9_998)}`,
    "'[' exceeded max depth",
  ),
  notJson(
    'another attribute too deep',
    `{"Metadata":${nested(10_000, '{"a":', '}').replace(':}', ':1}')}}`,
    `{"Metadata":${'{"a":'.repeat(9_999)}`,
    "'{' exceeded max depth",
  ),
  notJson('800 kB of brackets', nested(400_000), '['.repeat(10_000), "'[' exceeded max depth"),
];

const wrongType = (what: string, changes: ReportAttributes, reason: string): Broken => ({
  what,
  value: reportMessage(changes),
  code: 'REPORT_WRONG_TYPE',
  reason,
});
const noMessage = (what: string, value: string): Broken => ({
  what: `a message that is ${what}`,
  value,
  code: 'REPORT_WRONG_TYPE',
  reason: `the message is ${what}, expected an object`,
});
const noInteger = (name: string, value: string, found: string, max = '4294967295') =>
  wrongType(
    `${name} ${value.slice(0, 30)}`,
    { [name]: value },
    `attribute '${name}' is ${found}, expected an integer from 0 to ${max}`,
  );
const notA = (wanted: string, name: string, value: string, found: string) =>
  wrongType(`${name} ${value}`, { [name]: value }, `attribute '${name}' is ${found}, expected ${wanted}`);

const ofWrongType: readonly Broken[] = [
  noMessage('an array', `[${whole}]`),
  noMessage('a string', JSON.stringify(whole)),
  noMessage('a number', '17'),
  noMessage('a boolean', 'true'),
  noInteger('OrgID', '"1"', 'a string'),
  noInteger('OrgID', '-1', 'the number -1'),
  noInteger('OrgID', '-0', 'the number -0'),
  noInteger('OrgID', '1.0', 'the number 1.0'),
  noInteger('OrgID', '1e2', 'the number 1e2'),
  noInteger('OrgID', '4294967296', 'the number 4294967296'),
  noInteger('OrgID', '18446744073709551616', 'the number 18446744073709551616'),
  noInteger('OrgID', `9${'0'.repeat(5_000)}`, `the number 9${'0'.repeat(23)}`),
  noInteger('OrgID', 'true', 'a boolean'),
  noInteger('OrgID', '[1]', 'an array'),
  noInteger('OrgID', '{"id":1}', 'an object'),
  noInteger('AccountNumber', '"2"', 'a string'),
  noInteger('AccountNumber', '-2', 'the number -2'),
  noInteger('AccountNumber', '2.5', 'the number 2.5'),
  noInteger('AccountNumber', '1E400', 'the number 1E400'),
  noInteger('Version', '256', 'the number 256', '255'),
  noInteger('Version', '-1', 'the number -1', '255'),
  noInteger('Version', '"2"', 'a string', '255'),
  notA('a string', 'ClusterName', '1', 'a number'),
  notA('a string', 'ClusterName', `["${cluster}"]`, 'an array'),
  notA('a string', 'ClusterName', '{}', 'an object'),
  notA('a string', 'LastChecked', '1700000000', 'a number'),
  notA('a string', 'LastChecked', 'false', 'a boolean'),
  notA('a string', 'RequestId', '1', 'a number'),
  notA('a string', 'RequestId', '[]', 'an array'),
  notA('an object', 'Report', '[]', 'an array'),
  notA('an object', 'Report', '"{}"', 'a string'),
  notA('an object', 'Report', '0', 'a number'),
  notA('an object', 'Report', 'true', 'a boolean'),
  {
    ...wrongType(
      'a good account and a bad one',
      {},
      "attribute 'AccountNumber' is an array, expected an integer from 0 to 4294967295",
    ),
    value: whole.replace('{', '{"accountNumber":[],'),
  },
];

const lacking = (what: string, changes: ReportAttributes, name: string, more = ''): Broken => ({
  what,
  value: reportMessage(changes),
  code: 'REPORT_MISSING_ATTRIBUTE',
  reason: `${said.missing(name)}${more}`,
});
const incomplete: readonly Broken[] = [
  { ...lacking('null', {}, 'OrgID', ': the message is null'), value: ' null' },
  {
    ...lacking('nothing in it', {}, 'OrgID', ': missing are OrgID, AccountNumber, ClusterName, Report'),
    value: '{}',
  },
  lacking('no organization', { OrgID: undefined }, 'OrgID'),
  lacking('organization null', { OrgID: 'null' }, 'OrgID', ': missing are OrgID (null)'),
  lacking('no account', { AccountNumber: undefined }, 'AccountNumber'),
  lacking('account null', { AccountNumber: 'null' }, 'AccountNumber', ': missing are AccountNumber (null)'),
  lacking('no cluster', { ClusterName: undefined }, 'ClusterName'),
  lacking('cluster null', { ClusterName: 'null' }, 'ClusterName', ': missing are ClusterName (null)'),
  lacking('no report', { Report: undefined }, 'Report'),
  lacking('report null', { Report: 'null' }, 'Report', ': missing are Report (null)'),
  lacking(
    'no account, and report null',
    { AccountNumber: undefined, Report: 'null' },
    'AccountNumber',
    ': missing are AccountNumber, Report (null)',
  ),
  lacking(
    'no organization, and cluster null',
    { OrgID: undefined, ClusterName: 'null' },
    'OrgID',
    ': missing are OrgID, ClusterName (null)',
  ),
];

const noUuid = (what: string, name: string, shown = JSON.stringify(name)): Broken => ({
  what: `a cluster name ${what}`,
  value: bytes(reportMessage({ ClusterName: JSON.stringify(name) })),
  code: 'REPORT_CLUSTER_NOT_UUID',
  reason: `${said.uuid}: ${shown}`,
});
const tooLong = (what: string, name: string): Broken => ({
  what: `a cluster name ${what}`,
  value: reportMessage({ ClusterName: JSON.stringify(name) }),
  code: 'REPORT_CLUSTER_TOO_LONG',
  reason: `cluster name ${JSON.stringify(name)} is longer than 36 characters`,
});
const ofNoCluster: readonly Broken[] = [
  noUuid('that is empty', ''),
  noUuid('that is blank', ' '),
  noUuid('of words', 'not-a-uuid'),
  noUuid('with a letter too high', cluster.replace('5', 'g')),
  noUuid('a digit short', cluster.slice(1)),
  noUuid('a digit long', `${cluster}0`),
  noUuid('with hyphens elsewhere', digits.replace(/^(.{4})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')),
  noUuid('without hyphens, a digit short', digits.slice(1)),
  noUuid('with a line break', `${cluster}\n`),
  noUuid('with a NUL', `${cluster.slice(0, -1)}\0`),
  noUuid('in braces, without hyphens', `{${digits}}`),
  noUuid('as URN, without hyphens', `urn:uuid:${digits}`),
  noUuid('between letters of two bytes', `é${cluster}é`),
  noUuid('with full-width digits', cluster.replace('5', '\uff15')),
  noUuid('that is no UTF-8', `${cluster.slice(0, -1)}\ue0ff`, `"${cluster.slice(0, -1)}\ufffd"`),
  noUuid('of 900 kB', 'a'.repeat(900_000), `"${'a'.repeat(60)}…" (900000 characters)`),
  tooLong('in braces', `{${cluster}}`),
  tooLong('as URN', `urn:uuid:${cluster}`),
  tooLong('between NULs', `\0${cluster}\0`),
];

const structure = (what: string, report: string, key: string, more = ''): Broken => ({
  what: `a report ${what}`,
  value: reportMessage({ Report: report }),
  code: 'REPORT_STRUCTURE',
  reason: `${said.structure(key)}${more}`,
});
const notUtf8 = (what: string, report: string, byte: string, key: string): Broken => {
  const value = bytes(reportMessage({ Report: report }));
  const at = value.indexOf(Number(byte));
  return {
    what: `a report with ${what}`,
    value,
    code: 'REPORT_NOT_UTF8',
    reason: `the report holds bytes that are not UTF-8: ${byte} in "${key}" at byte ${at} of the message`,
  };
};
const ofNoReport: readonly Broken[] = [
  structure('of nothing', '{}', 'fingerprints', ': missing are fingerprints, reports, system'),
  structure('without fingerprints', '{"reports":[],"system":{}}', 'fingerprints'),
  structure('without reports', '{"fingerprints":[],"system":{}}', 'reports'),
  structure('with System for system', '{"fingerprints":[],"reports":[],"System":{}}', 'system'),
  structure('of reports alone', '{"reports":[]}', 'fingerprints', ': missing are fingerprints, system'),
  notUtf8('a byte that is nowhere in UTF-8', reportOf('"\ue0ff"'), '0xff', 'reports'),
  notUtf8('Latin-1', reportOf('["caf\ue0e9"]'), '0xe9', 'reports'),
  notUtf8('half a character', reportOf('[]', ',"zeta":"\ue0e2\ue082"'), '0xe2', 'zeta'),
  notUtf8('a surrogate as CESU-8 has it', reportOf('{"\ue0ed\ue0a0\ue080":1}'), '0xed', 'reports'),
  notUtf8('a slash in two bytes', reportOf('[]', ',"a":"\ue0c0\ue0af"'), '0xc0', 'a'),
];

const noTime = (what: string, text: string, shown = JSON.stringify(text)): Broken => ({
  what: `a time ${what}`,
  value: bytes(reportMessage({ LastChecked: JSON.stringify(text) })),
  code: 'REPORT_LAST_CHECKED',
  reason: `LastChecked is not RFC 3339: ${shown}`,
});
const future = (text: string, canonical: string): Broken => ({
  what: `the time ${text}`,
  value: reportMessage({ LastChecked: `"${text}"` }),
  code: 'REPORT_FROM_THE_FUTURE',
  reason: `${said.future}: ${canonical}`,
});
const tooLarge = (name: string, value: string): Broken => ({
  what: `${name} ${value}`,
  value: reportMessage({ [name]: value }),
  code: 'REPORT_NUMBER_TOO_LARGE',
  reason: `${name} ${value} is larger than 2147483647, the most that new_reports holds`,
});
const ofNoTimeOrPlace: readonly Broken[] = [
  {
    ...noTime('', ''),
    what: 'no time',
    value: reportMessage({ LastChecked: undefined }),
    reason: 'LastChecked is missing',
  },
  {
    ...noTime('', ''),
    what: 'time null',
    value: reportMessage({ LastChecked: 'null' }),
    reason: 'LastChecked is null',
  },
  noTime('of no characters', ''),
  noTime('in words', 'yesterday'),
  noTime('of a day', '2023-05-04'),
  noTime('in seconds', '1683208800'),
  noTime('without zone', '2023-05-04T14:00:00'),
  noTime('with a zone without colon', '2023-05-04T14:00:00+0200'),
  noTime('with a zone that is nowhere', '2023-05-04T14:00:00+25:00'),
  noTime('with a blank in it', '2023-05-04 14:00:00Z'),
  noTime('with a blank behind', '2023-05-04T14:00:00Z '),
  noTime('with a small t', '2023-05-04t14:00:00Z'),
  noTime('with a small z', '2023-05-04T14:00:00z'),
  noTime('on a day that is none', '2023-02-30T14:00:00Z'),
  noTime('in a month that is none', '2023-13-04T14:00:00Z'),
  noTime('in a year of five digits', '12023-05-04T14:00:00Z'),
  noTime('at hour 24', '2023-05-04T24:00:00Z'),
  noTime('in a leap second', '2016-12-31T23:59:60Z'),
  noTime('as RFC 1123', 'Thu, 04 May 2023 14:00:00 GMT'),
  noTime('with a NUL', '2023-05-04T14:00:00Z\0'),
  noTime('that is no UTF-8', '2023-05-04T14:00:00\ue0e9', '"2023-05-04T14:00:00\ufffd"'),
  noTime('of 900 kB', '2'.repeat(900_000), `"${'2'.repeat(60)}…" (900000 characters)`),
  future('2990-01-01T00:00:00Z', '2990-01-01T00:00:00.000000000Z'),
  future('9999-12-31T23:59:59.9-23:59', '+010000-01-01T23:58:59.900000000Z'),
  tooLarge('OrgID', '2147483648'),
  tooLarge('OrgID', '4294967295'),
  tooLarge('AccountNumber', '2147483648'),
];

const broken: readonly Broken[] = [
  ...notJsonAtAll,
  ...ofWrongType,
  ...incomplete,
  ...ofNoCluster,
  ...ofNoReport,
  ...ofNoTimeOrPlace,
];

/** Where a message of this code ends. */
const steps: Readonly<Record<string, string>> = {
  REPORT_NOT_JSON: 'parse-report',
  REPORT_WRONG_TYPE: 'parse-report',
  REPORT_MISSING_ATTRIBUTE: 'parse-report',
  REPORT_CLUSTER_NOT_UUID: 'parse-report',
  REPORT_STRUCTURE: 'parse-report',
  REPORT_LAST_CHECKED: 'check-report',
  REPORT_FROM_THE_FUTURE: 'check-report',
  REPORT_NUMBER_TOO_LARGE: 'prepare-row',
  REPORT_CLUSTER_TOO_LONG: 'prepare-row',
  REPORT_NOT_UTF8: 'prepare-row',
};

interface Row {
  readonly org_id: number;
  readonly account_number: number;
  readonly cluster: string;
  readonly report: string;
}

/** Each is sent with a request of its own; `row` is what differs from the usual one. */
const good: readonly (readonly [what: string, changes: ReportAttributes, row: Partial<Row>, behind?: string])[] = [
  ['nothing odd', {}, {}],
  ['organization 0', { OrgID: '0' }, { org_id: 0 }],
  [
    'the largest numbers',
    { OrgID: '2147483647', AccountNumber: '2147483647' },
    { org_id: 2147483647, account_number: 2147483647 },
  ],
  ['another version', { Version: '255' }, {}],
  ['no version', { Version: 'null' }, {}],
  [
    'names in another case',
    { OrgID: undefined, ORGID: '5', ClusterName: undefined, clusterName: `"${cluster}"` },
    { org_id: 5 },
  ],
  ['an attribute twice', { orgId: '6' }, { org_id: 6 }],
  ['a report twice', { REPORT: '{"reports":[7],"zeta":1}' }, { report: '{"reports":[7],"zeta":1}' }],
  ['a cluster in capitals', { ClusterName: `"${cluster.toUpperCase()}"` }, { cluster: cluster.toUpperCase() }],
  ['a cluster without hyphens', { ClusterName: `"${digits}"` }, { cluster: `${digits}    ` }],
  [
    'values that are null',
    { Report: '{"fingerprints":null,"reports":null,"system":null}' },
    { report: '{"reports":null}' },
  ],
  ['a key twice inside', { Report: reportOf('{"a":1,"a":2}') }, { report: '{"reports":{"a":1,"a":2}}' }],
  [
    'numbers beyond all types',
    { Report: reportOf('[1E400,12345678901234567890,-0]') },
    { report: '{"reports":[1E400,12345678901234567890,-0]}' },
  ],
  ['an escaped NUL', { Report: reportOf('"\\u0000"') }, { report: '{"reports":"\\u0000"}' }],
  ['half an escaped pair', { Report: reportOf('"\\ud83d"') }, { report: '{"reports":"\\ud83d"}' }],
  [
    'markup and separators',
    { Report: reportOf('"<&>\u2028"') },
    { report: '{"reports":"\\u003c\\u0026\\u003e\\u2028"}' },
  ],
  ['emoji and accents', { Report: reportOf('"\u{1f600}é"') }, { report: '{"reports":"\u{1f600}é"}' }],
  [
    'hostile keys',
    { Report: reportOf('[]', ',"__proto__":{"a":1},"constructor":2') },
    { report: '{"__proto__":{"a":1},"constructor":2,"reports":[]}' },
  ],
  ['bytes that are dropped', { Report: '{"fingerprints":[],"reports":[],"system":"\ue0ff"}' }, {}],
  ['bytes in what is ignored', { Metadata: '"\ue0ff\\u0000"' }, {}],
  ['the last level of nesting', { Report: reportOf(nested(9_998)) }, { report: `{"reports":${nested(9_998)}}` }],
  ['800 kB', { Report: reportOf(`"${'x'.repeat(800_000)}"`) }, { report: `{"reports":"${'x'.repeat(800_000)}"}` }],
  ['a time of long ago', { LastChecked: '"0001-01-01T00:00:00Z"' }, {}],
  ['a time with a comma and an hour of one digit', { LastChecked: '"2023-05-04T7:00:00,5+02:00"' }, {}],
  ['blanks around', {}, {}, ' \r\n'],
];
const usualRow: Row = { org_id: 1, account_number: 2, cluster, report: '{"reports":[]}' };

let database: TestDatabase;
before(async () => {
  database = await createTestDatabase({ migrated: true });
});
after(() => database.drop());

test('no two faults have the same reason', () => {
  assert.ok(broken.length > 150, `${broken.length} kinds`);
  const byReason = Map.groupBy(broken, ({ reason }) => reason);
  const same = [...byReason.values()].filter((kinds) => kinds.length > 1).map((kinds) => kinds.map(({ what }) => what));
  assert.deepEqual(same, []);
});

test('each broken message is dead-lettered with its reason, and the good ones around it are stored', async () => {
  const writer = await startWriterBench({ database: database.database, change: { statusesTopic: '' } });
  const stream = broken.flatMap(({ value }, at) => {
    const [, changes, , behind = ''] = good[at % good.length]!;
    return [bytes(`${behind}${reportMessage({ ...changes, RequestId: `"good-${at}"` })}${behind}`), value];
  });
  try {
    await writer.handle(stream);
    const found = (await writer.deadLetters()).map(({ value: came, sourceOffset, code, step, reason }) => {
      const { what, value } = broken[Number((sourceOffset - 1n) / 2n)]!;
      const isAsItCame = value === null ? came === null : came?.equals(Buffer.from(value as string));
      return { what, code, step, reason, isAsItCame };
    });
    assert.deepEqual(
      found,
      broken.map(({ what, code, reason }) => ({ what, code, step: steps[code], reason, isAsItCame: true })),
    );

    const rows = await writer.rows();
    assert.equal(rows.length, broken.length);
    rows.forEach((row, at) => {
      const [what, , changed] = good[at % good.length]!;
      const wanted = { ...usualRow, ...changed, kafka_offset: BigInt(2 * at), updated_at: row.updated_at };
      assert.ok(wanted.report === row.report, `${what}: the report is ${row.report.slice(0, 200)}`);
      assert.deepEqual({ ...row, report: '' }, { ...wanted, report: '' }, what);
    });

    assert.equal(await writer.committed(), BigInt(stream.length));
    const byCode = await writer.metric('ccx_writer_dead_letters_total');
    const kinds = [...Map.groupBy(broken, ({ code }) => code)].map(([code, ofCode]) => [code, ofCode.length]);
    assert.deepEqual(byCode.map(({ labels, value }) => [labels['code'], value]).sort(), kinds.sort());
    assert.equal((await writer.metric('notification_writer_consuming_errors'))[0]?.value, broken.length);
    assert.equal((await writer.metric('notification_writer_stored_messages'))[0]?.value, broken.length);
  } finally {
    await writer.close();
  }
});
