/** Which messages of `ccx.ocp.results` are accepted, what is told of the others, and what is kept of their reports. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { reportCluster, reportMessage } from '../../test/support/report-messages.ts';
import { isLenientUuid, type OcpResultsParse, parseOcpResults, RepeatedValues } from './parse-ocp-results.ts';
import { DROPPED_REPORT_KEYS, shrinkReportText } from './shrunk-report.ts';

const cluster = reportCluster;

function parse(text: string | Buffer): OcpResultsParse {
  return parseOcpResults(Buffer.from(text as string));
}

function received(text: string | Buffer) {
  const parsed = parse(text);
  assert.equal(parsed.kind, 'received', parsed.kind === 'refused' ? parsed.refused.error.message : '');
  return (parsed as Extract<OcpResultsParse, { kind: 'received' }>).report;
}

function refused(text: string | Buffer) {
  const parsed = parse(text);
  assert.equal(parsed.kind, 'refused');
  const { error, ...known } = (parsed as Extract<OcpResultsParse, { kind: 'refused' }>).refused;
  return { code: error.code, message: error.message, ...known };
}

function shrunk(report: string): string {
  return shrinkReportText(received(reportMessage({ Report: report })).report).text.toString('utf8');
}

test('a complete message is read attribute by attribute', () => {
  const { report, metadata, ...attributes } = received(reportMessage({ Metadata: '{"gathering_time":1}' }));
  assert.equal(report.text.toString('latin1', metadata!.start, metadata!.end), '{"gathering_time":1}');
  assert.deepEqual(attributes, {
    orgId: 1,
    accountNumber: 2,
    clusterName: cluster,
    lastChecked: '2020-01-23T16:15:59.478901889Z',
    version: 2,
    requestId: '3nl2vda87ld6e3s25jlk7n2dna',
  });
  assert.deepEqual([...report.members.keys()], ['fingerprints', 'reports', 'system']);
});

test('what may be missing may be null too', () => {
  for (const value of [undefined, 'null']) {
    const report = received(reportMessage({ LastChecked: value, Version: value, RequestId: value }));
    assert.deepEqual(
      [report.lastChecked, report.version, report.requestId],
      [value === undefined ? undefined : null, 0, ''],
    );
  }
});

const wrong: readonly (readonly [string, string | null, string, string])[] = [
  ['an empty value', '', 'REPORT_NOT_JSON', 'unexpected end of JSON input'],
  ['a text', 'not JSON at all', 'REPORT_NOT_JSON', "invalid character 'o' in literal null (expecting 'u')"],
  ['a cut message', reportMessage().slice(0, -1), 'REPORT_NOT_JSON', 'unexpected end of JSON input'],
  ['trailing garbage', `${reportMessage()}x`, 'REPORT_NOT_JSON', "invalid character 'x' after top-level value"],
  ['a second value', `${reportMessage()} {}`, 'REPORT_NOT_JSON', "invalid character '{' after top-level value"],
  [
    'a byte order mark',
    `\ufeff${reportMessage()}`,
    'REPORT_NOT_JSON',
    "invalid character 'ï' looking for beginning of value",
  ],
  ['an array', `[${reportMessage()}]`, 'REPORT_WRONG_TYPE', 'the message is an array, expected an object'],
  ['a string', '"x"', 'REPORT_WRONG_TYPE', 'the message is a string, expected an object'],
  ['a number', '-1', 'REPORT_WRONG_TYPE', 'the message is a number, expected an object'],
  ['null', ' null ', 'REPORT_MISSING_ATTRIBUTE', "missing required attribute 'OrgID'"],
  ['an empty object', '{}', 'REPORT_MISSING_ATTRIBUTE', "missing required attribute 'OrgID'"],
];

for (const [what, text, code, text2] of wrong) {
  test(`${what} is refused and nothing is known of it`, () => {
    assert.deepEqual(refused(text ?? ''), {
      code,
      message: text2,
      requestId: '',
      orgId: undefined,
      clusterName: undefined,
    });
  });
}

test('a tombstone is refused like an empty value', () => {
  const parsed = parseOcpResults(null);
  assert.equal(parsed.kind === 'refused' && parsed.refused.error.message, 'unexpected end of JSON input');
});

test('required attributes are missed in the order of the reference, null or absent', () => {
  const order = ['OrgID', 'AccountNumber', 'ClusterName', 'Report'];
  order.forEach((name, index) => {
    for (const value of [undefined, 'null']) {
      const changes = Object.fromEntries(order.slice(index).map((later) => [later, value]));
      const answer = refused(reportMessage(changes));
      assert.equal(answer.code, 'REPORT_MISSING_ATTRIBUTE');
      assert.equal(answer.message, `missing required attribute '${name}'`);
      assert.equal(answer.requestId, '3nl2vda87ld6e3s25jlk7n2dna', 'the request is known');
    }
  });
});

test('integers are accepted in their whole range and nothing else is', () => {
  assert.equal(received(reportMessage({ OrgID: '4294967295' })).orgId, 4_294_967_295);
  assert.equal(received(reportMessage({ AccountNumber: '0' })).accountNumber, 0);
  assert.equal(received(reportMessage({ Version: '255' })).version, 255);
  const bad = ['4294967296', '-1', '-0', '1.0', '1e2', '"1"', 'true', '{}', '[]', `1${'0'.repeat(400)}`];
  for (const value of bad) {
    for (const name of ['OrgID', 'AccountNumber', 'Version']) {
      const answer = refused(reportMessage({ [name]: value }));
      assert.equal(answer.code, 'REPORT_WRONG_TYPE', `${name} ${value}`);
      assert.match(answer.message, new RegExp(`^attribute '${name}' is `));
      assert.ok(answer.message.length < 120, 'a long number is not repeated in full');
    }
  }
  assert.equal(refused(reportMessage({ Version: '256' })).code, 'REPORT_WRONG_TYPE');
});

test('strings must be strings and the report an object', () => {
  for (const value of ['1', 'true', '[]', '{}']) {
    for (const name of ['ClusterName', 'LastChecked', 'RequestId'])
      assert.equal(refused(reportMessage({ [name]: value })).code, 'REPORT_WRONG_TYPE', `${name} ${value}`);
  }
  for (const value of ['1', 'true', '[]', '"{}"'])
    assert.equal(refused(reportMessage({ Report: value })).code, 'REPORT_WRONG_TYPE', value);
});

test('a type error does not keep later attributes from being known, and the first one is told', () => {
  const answer = refused(reportMessage({ OrgID: '"1"', Version: '"2"' }));
  assert.equal(answer.message, "attribute 'OrgID' is a string, expected an integer from 0 to 4294967295");
  assert.equal(answer.requestId, '3nl2vda87ld6e3s25jlk7n2dna');
  assert.equal(answer.clusterName, cluster);
});

test('a type error comes before a missing attribute, a syntax error before both', () => {
  assert.equal(refused(reportMessage({ OrgID: undefined, Version: '"2"' })).code, 'REPORT_WRONG_TYPE');
  assert.equal(refused(reportMessage({ OrgID: '"1"', RequestId: '"a"}' })).code, 'REPORT_NOT_JSON');
});

test('attribute names are matched in any case, escapes and letters that fold to ours included', () => {
  const text = `{"ORGID":1,"accountnumber":2,"clu\\u0073tername":"${cluster}","report":{"fingerprints":1,"reports":1,"system":1},
    "LaſtChec\u212aed":"then","vErSiOn":3,"requestID":"r"}`;
  const report = received(text);
  assert.deepEqual(
    [report.orgId, report.accountNumber, report.lastChecked, report.version, report.requestId],
    [1, 2, 'then', 3, 'r'],
  );
  assert.equal(
    refused(reportMessage({ OrgID: undefined, 'Org-ID': '1', 'OrgID ': '1' })).code,
    'REPORT_MISSING_ATTRIBUTE',
  );
});

test('of repeated attributes the last one counts, and null unsets only what may not be missing', () => {
  assert.equal(received(reportMessage().replace('{', '{"orgid":7,"version":9,')).orgId, 1);
  const again = reportMessage().slice(0, -1);
  assert.equal(received(`${again},"orgid":7}`).orgId, 7);
  assert.equal(refused(`${again},"orgid":null}`).message, "missing required attribute 'OrgID'");
  const kept = received(`${again},"lastChecked":null,"version":null,"requestid":null}`);
  assert.deepEqual(
    [kept.lastChecked, kept.version, kept.requestId],
    ['2020-01-23T16:15:59.478901889Z', 2, '3nl2vda87ld6e3s25jlk7n2dna'],
  );
});

test('unknown attributes are ignored whatever they are', () => {
  received(reportMessage({ Metadata: '{"gathering_time":"x"}', __proto__x: '[[[]]]', '': 'null' }));
});

test('cluster names are UUIDs in four spellings, one-byte braces of any kind', () => {
  const digits = cluster.replaceAll('-', '');
  for (const name of [cluster, cluster.toUpperCase(), digits, `{${cluster}}`, `x${cluster}\n`, `URN:uuid:${cluster}`]) {
    assert.equal(received(reportMessage({ ClusterName: JSON.stringify(name) })).clusterName, name);
  }
  for (const name of [
    '',
    ' ',
    digits.slice(1),
    `${cluster} `,
    `é${cluster}`,
    `{${digits}}`,
    `urn:uuid:${digits}`,
    cluster.replace('5', 'g'),
  ]) {
    assert.equal(isLenientUuid(name), false, name);
    const answer = refused(reportMessage({ ClusterName: JSON.stringify(name) }));
    assert.deepEqual([answer.code, answer.message], ['REPORT_CLUSTER_NOT_UUID', 'cluster name is not a UUID']);
  }
});

test('a report must have three keys, in this order of complaint, whatever their values', () => {
  received(reportMessage({ Report: '{"system":null,"reports":"x","fingerprints":0}' }));
  const cases = {
    '{}': 'fingerprints',
    '{"fingerprints":1}': 'reports',
    '{"fingerprints":1,"reports":1,"System":1}': 'system',
  };
  for (const [report, key] of Object.entries(cases)) {
    const answer = refused(reportMessage({ Report: report }));
    assert.deepEqual(
      [answer.code, answer.message],
      ['REPORT_STRUCTURE', `Improper report structure, missing key ${key}`],
    );
  }
});

test('a repeated report is merged key by key, unless a null was in between', () => {
  const first = '{"fingerprints":1,"reports":[1],"a":1}';
  const second = '{"system":1,"reports":[2]}';
  const merged = received(`${reportMessage({ Report: first }).slice(0, -1)},"report":${second}}`);
  assert.equal(shrinkReportText(merged.report).text.toString(), '{"a":1,"reports":[2]}');
  const cut = refused(`${reportMessage({ Report: first }).slice(0, -1)},"Report":null,"report":${second}}`);
  assert.equal(cut.message, 'Improper report structure, missing key fingerprints');
});

test('nesting inside the report counts from the message, as the reference counts', () => {
  const nested = (levels: number) =>
    `{"fingerprints":1,"reports":1,"system":${'['.repeat(levels)}${']'.repeat(levels)}}`;
  received(reportMessage({ Report: nested(9998) }));
  assert.equal(refused(reportMessage({ Report: nested(9999) })).message, "invalid character '[' exceeded max depth");
});

test('the stored text is the example of the reference, byte for byte', () => {
  const report =
    '{"system":{"x":1},"reports":[ {"b":1,"a":"<x>&","n":1.0e+5} ],"fingerprints":[],"zeta":{"q":  1},"alpha":null}';
  assert.equal(
    shrunk(report),
    '{"alpha":null,"reports":[{"b":1,"a":"\\u003cx\\u003e\\u0026","n":1.0e+5}],"zeta":{"q":1}}',
  );
});

test('big integers, integer-like keys, duplicate nested keys and escapes stay as they were written', () => {
  const value = '{"2":1,"1":12345678901234567890,"1":1E400,"s":"\\/\\u0041\\u0000\\u003C"}';
  assert.equal(shrunk(`{"fingerprints":[],"system":{},"reports":${value}}`), `{"reports":${value}}`);
});

test('keys are compared as decoded, sorted by bytes and written afresh; of equal ones the last counts', () => {
  const report =
    '{"sys\\u0074em":1,"fingerprints":1,"reports":1,"\\ud83d\\ude00":2,"\\uffff":3,"b<":4,"B":5,"a\\u0062":6,"ab":7,"\\b\\u001f":8}';
  assert.equal(shrunk(report), '{"\\b\\u001f":8,"B":5,"ab":7,"b\\u003c":4,"reports":1,"\uffff":3,"\u{1f600}":2}');
});

test('hostile keys are keys', () => {
  assert.equal(
    shrunk('{"__proto__":{"a":1},"constructor":2,"fingerprints":1,"reports":1,"system":1}'),
    '{"__proto__":{"a":1},"constructor":2,"reports":1}',
  );
});

test('invalid UTF-8 becomes U+FFFD byte by byte in strings and keys and stays as it is inside the report', () => {
  const bytes = (text: string) =>
    Buffer.from(text.replaceAll('?', '\u0080'), 'latin1').map((byte) => (byte === 0x80 ? 0xe2 : byte));
  const report = received(
    Buffer.from(
      bytes(reportMessage({ RequestId: '"a??b"', Report: '{"fingerprints":1,"reports":"?","system":1,"k?":1}' })),
    ),
  );
  assert.equal(report.requestId, 'a\ufffd\ufffdb');
  assert.deepEqual(
    shrinkReportText(report.report).text,
    Buffer.concat([Buffer.from('{"k\ufffd":1,"reports":"'), Buffer.from([0xe2]), Buffer.from('"}')]),
  );
});

test('a report of dropped members only is an empty object, and the original size counts what was dropped', () => {
  const report = received(
    reportMessage({ Report: '{"system" : {"a": "<"}, "fingerprints":[ ], "reports":[],"pass":[1]}' }),
  ).report;
  const { text, originalBytes } = shrinkReportText(report);
  assert.equal(text.toString(), '{"reports":[]}');
  assert.equal(originalBytes, '{"fingerprints":[],"pass":[1],"reports":[],"system":{"a":"\\u003c"}}'.length);
  assert.equal(
    shrinkReportText({
      text: report.text,
      members: new Map([['system', report.members.get('system')!]]),
    }).text.toString(),
    '{}',
  );
});

test('whatever JSON a report holds, what is kept means the same as before', () => {
  const key = fc.oneof(fc.string(), fc.constantFrom('system', 'info', 'zz', '\u2028', 'a<b'));
  fc.assert(
    fc.property(fc.dictionary(key, fc.jsonValue({ maxDepth: 3 })), fc.nat(4), (members, indent) => {
      const report: Record<string, unknown> = { ...members, fingerprints: 0, reports: members, system: 0 };
      const value = { OrgID: 1, AccountNumber: 1, ClusterName: cluster, Report: report };
      const text = shrinkReportText(received(JSON.stringify(value, null, indent)).report).text.toString('utf8');
      const wanted = JSON.parse(JSON.stringify(report)) as Record<string, unknown>;
      for (const dropped of DROPPED_REPORT_KEYS) delete wanted[dropped];
      const keys = Object.keys(wanted).sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
      const canonical = `{${keys.map((name) => `${JSON.stringify(name)}:${JSON.stringify(wanted[name])}`).join(',')}}`;
      assert.equal(
        text,
        canonical.replace(/[<>&\u2028\u2029]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`),
      );
    }),
    { numRuns: 300 },
  );
});

test('a list that was walked over before is recognised, and nothing else is told than without', () => {
  const repeated = new RepeatedValues();
  const long = 'x'.repeat(600);
  const lists = [
    `["${long}"]`,
    `["${long}" , "<&>", "\u2028"]`,
    `["${long}", {"a": [1, 2.5e3, null]}]`,
    `["${long}", `,
    `["${long}"]]`,
    `["${long}"] x`,
    '[]',
    `{"of": "${long}"}`,
    ...Array.from({ length: 40 }, (_, index) => `["${long}", ${index}]`),
  ];
  for (let times = 0; times < 3; times += 1) {
    for (const list of lists) {
      for (const behind of ['', ' ', ', "more": [true]']) {
        const report = `{"fingerprints": [], "reports": [], "system": {}, "skips": ${list}${behind}}`;
        const message = Buffer.from(reportMessage({ Report: report }));
        assert.deepEqual(parseOcpResults(message, repeated), parseOcpResults(message), report);
      }
    }
  }
});

test('any bytes at all get an answer', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      parseOcpResults(Buffer.from(bytes));
      parseOcpResults(Buffer.concat([Buffer.from('{"Report":{"'), bytes]));
    }),
    { numRuns: 1000 },
  );
});

const realMessages = new URL('../../../shared/data/messages/', import.meta.url);
const absent = existsSync(realMessages) ? false : '../shared/data/messages is not there';

test('real messages are received, and what is kept of them means the same as before', { skip: absent }, () => {
  for (const name of readdirSync(realMessages).filter((file) => !file.startsWith('platform-'))) {
    const bytes = readFileSync(new URL(name, realMessages));
    const model = JSON.parse(bytes.toString('utf8')) as Record<string, Record<string, unknown>>;
    const report = received(bytes);
    assert.equal(report.orgId, model['OrgID'], name);
    const kept = JSON.parse(shrinkReportText(report.report).text.toString('utf8')) as Record<string, unknown>;
    for (const dropped of DROPPED_REPORT_KEYS) delete model['Report']![dropped];
    assert.deepEqual(kept, model['Report'], name);
  }
});
