/** The published report has the reference's members in the reference's order, and nothing invalid is published. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseOcpResults } from './parse-ocp-results.ts';
import { type OcpResultsMessage, serializeOcpResults, serializeReport } from './serialize-ocp-results.ts';

const example: OcpResultsMessage = {
  OrgID: 11789772,
  ClusterName: '5d5892d3-1f74-4ccf-91af-548dfc9767aa',
  Report: {
    system: { metadata: {}, hostname: null },
    reports: [
      {
        rule_id: 'operator_unmanaged|OPERATOR_UNMANAGED',
        component: 'ccx_rules_ocp.external.rules.operator_unmanaged.report',
        type: 'rule',
        key: 'OPERATOR_UNMANAGED',
        details: { operators: ['čas 🕐'], type: 'rule', error_key: 'OPERATOR_UNMANAGED' },
        tags: [],
        links: { jira: ['https://issues.redhat.com/browse/INSIGHTOCP-49'] },
      },
    ],
    fingerprints: [],
    skips: [],
    info: [],
    pass: [],
    analysis_metadata: { start: '', finish: '', execution_context: '', plugin_sets: {} },
  },
  LastChecked: '2026-01-30T10:09:11.611Z',
  Version: 2,
  RequestId: '3nl2vda87ld6e3s25jlk7n2dna',
  Metadata: { gathering_time: '2026-01-30T10:08:55Z' },
  AccountNumber: 10,
};

function serialize({ Report, ...envelope }: OcpResultsMessage): string {
  return serializeOcpResults(envelope, serializeReport(Report));
}

test('the text is, byte for byte, that of the whole message written at once', () => {
  const escaped = JSON.stringify(example).replace('č', '\\u010d').replace('🕐', '\\ud83d\\udd50');
  assert.equal(serialize(example), `${escaped}\n`);
});

test('members come in the order of the reference, on one line, in ASCII', () => {
  const { OrgID, ...rest } = example;
  const text = serialize({ ...rest, OrgID });
  assert.deepEqual(Object.keys(JSON.parse(text)), [
    'OrgID',
    'ClusterName',
    'Report',
    'LastChecked',
    'Version',
    'RequestId',
    'Metadata',
    'AccountNumber',
  ]);
  assert.match(text, /^[\x20-\x7e]+\n$/);
  assert.deepEqual(JSON.parse(text), example);
});

test('what is written is accepted by the reading side', () => {
  for (const message of [example, { ...example, RequestId: null, AccountNumber: 0 }]) {
    const parsed = parseOcpResults(Buffer.from(serialize(message)));
    assert.equal(parsed.kind, 'received');
  }
});

const invalid: readonly [string, object][] = [
  ['OrgID', { OrgID: -1 }],
  ['OrgID', { OrgID: 4_294_967_296 }],
  ['ClusterName', { ClusterName: null }],
  ['ClusterName', { ClusterName: '5d5892d3-1f74-4ccf-91af' }],
  ['LastChecked', { LastChecked: '2026-01-30T10:09:11.611' }],
  ['Metadata.gathering_time', { Metadata: { gathering_time: '2026-01-30T10:08:55+01:00' } }],
  ['AccountNumber', { AccountNumber: undefined }],
  ['Report.reports', { Report: { ...example.Report, reports: undefined } }],
  [
    'Report.reports.0.details',
    { Report: { ...example.Report, reports: [{ ...example.Report.reports[0], details: null }] } },
  ],
  [
    'Report.info.0.details.version',
    {
      Report: {
        ...example.Report,
        info: [
          { info_id: 'a|B', component: 'a', type: 'info', key: 'B', details: { version: 4 }, tags: [], links: {} },
        ],
      },
    },
  ],
];

for (const [member, change] of invalid) {
  test(`a message whose ${member} is wrong is not published: ${JSON.stringify(change).slice(0, 60)}`, () => {
    assert.throws(() => serialize({ ...example, ...change } as OcpResultsMessage), {
      code: 'REPORT_INVALID',
      message: new RegExp(`${member}:`),
    });
  });
}
