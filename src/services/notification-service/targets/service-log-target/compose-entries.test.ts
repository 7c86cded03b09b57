/** Due issues → entries: texts, severity, limits, and what happens when texts cannot be rendered. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { clusterId, dueCluster, dueIssue, type IssueTexts } from '../../../../../test/support/due-cluster.ts';
import {
  parseServiceLogEntry,
  SERVICE_LOG_DESCRIPTION_BYTES_MAX,
  SERVICE_LOG_SUMMARY_BYTES_MAX,
} from '../../../../contracts/service-log-entry.ts';
import { CcxError } from '../../../../encoding/ccx-error.ts';
import { createManualClock } from '../../../../platform/clock/manual-clock.ts';
import { composeEntries, composeResolvedEntry } from './compose-entries.ts';
import type { RenderedIssue, TemplateRenderer } from './rendering/template-renderer.ts';
import { harmlessDetails } from './safe-text.ts';

const settings = {
  createdBy: 'service-account-ccx-notification-service',
  username: 'insights-advisor',
  ruleDetailsUri: 'https://console.redhat.com/openshift/insights/advisor/recommendations/{module}|{error_key}',
};
const link =
  '[More details](https://console.redhat.com/openshift/insights/advisor/recommendations/ccx_rules_ocp.external.rules.node_not_ready|NODE_NOT_READY).';

async function compose(texts: IssueTexts, rendered: readonly RenderedIssue[] | CcxError) {
  const clock = createManualClock();
  const noted: string[] = [];
  const renderer: TemplateRenderer = {
    render: async () => {
      if (rendered instanceof CcxError) throw rendered;
      return rendered;
    },
    close: async () => undefined,
  };
  const sent = await composeEntries(
    dueCluster([dueIssue(texts)]),
    { now: clock.now(), uuid: () => clock.uuid() },
    {
      settings,
      renderer,
      events: {
        renderingFellBack: ({ cluster, errorKey }, { code }) => void noted.push(`${cluster} ${errorKey} ${code}`),
      },
    },
  );
  return { sent, entry: parseServiceLogEntry(sent[0]!.body), noted };
}

function renderedAs(description: string, reason: string): RenderedIssue[] {
  return [{ kind: 'rendered', ruleId: 'ccx_rules_ocp.external.rules.node_not_ready', description, reason }];
}

const failed: RenderedIssue[] = [
  { kind: 'failed', error: new CcxError('x', { code: 'TEMPLATE_FAILED', category: 'input' }) },
];

test('one entry per issue, its id the stream id', async () => {
  const { sent, entry, noted } = await compose({}, renderedAs('A node is not ready', 'Node a is not ready.\n'));
  assert.deepEqual(entry, {
    cluster_uuid: clusterId,
    description: `Node a is not ready.\n\n${link}`,
    service_name: 'CCX Notification Service',
    severity: 'Major',
    summary: 'A node is not ready',
    created_by: 'service-account-ccx-notification-service',
    username: 'insights-advisor',
    event_stream_id: sent[0]!.id,
  });
  assert.equal(sent[0]!.target, 'service-log');
  assert.deepEqual(sent[0]!.issues, [
    { type: 'rule', component: 'ccx_rules_ocp.external.rules.node_not_ready.report', errorKey: 'NODE_NOT_READY' },
  ]);
  assert.deepEqual(noted, []);
});

test('D6, service Q18, G13: an emoji across the limits leaves valid texts and the link', async () => {
  const { entry } = await compose({}, renderedAs(`${'a'.repeat(254)}😀`, `${'b'.repeat(3999 - link.length - 2)}😀`));
  assert.equal(entry.summary, 'a'.repeat(254));
  assert.ok(entry.description.endsWith(`b\n\n${link}`));
  assert.equal(Buffer.byteLength(entry.description), SERVICE_LOG_DESCRIPTION_BYTES_MAX - 1);
});

test('D6, service Q18, G13: whatever a rule says, an entry fits in bytes and ends with the whole link', async () => {
  const piece = fc.constantFrom(
    'word ',
    '`',
    '```\n',
    '[',
    '](',
    ')',
    '😀',
    '\ud83d',
    '\u0000',
    '\u202e',
    'e\u0301',
    '\n\n',
    '](javascript:x)',
  );
  const text = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 300 }),
    fc
      .tuple(fc.array(piece, { maxLength: 40 }), fc.integer({ min: 1, max: 200 }))
      .map(([pieces, times]) => pieces.join('').repeat(times)),
  );
  await fc.assert(
    fc.asyncProperty(text, text, async (description, reason) => {
      const { entry } = await compose({}, renderedAs(description, reason));
      assert.ok(Buffer.byteLength(entry.summary) <= SERVICE_LOG_SUMMARY_BYTES_MAX && entry.summary !== '');
      assert.ok(Buffer.byteLength(entry.description) <= SERVICE_LOG_DESCRIPTION_BYTES_MAX);
      assert.ok(entry.description.endsWith(link));
      assert.ok(entry.summary.isWellFormed() && entry.description.isWellFormed());
    }),
    { numRuns: 150 },
  );
});

test('a text that is cut inside of a code span makes no link of what a value says', async () => {
  const name = `${'a'.repeat(3_700)}[Log in](https:/evil.example)${'b'.repeat(300)}`;
  const reason = `Pool \`${JSON.parse(harmlessDetails(JSON.stringify(name)))}\` is paused.`;
  const { entry } = await compose({}, renderedAs('A pool is paused', reason));
  assert.ok(entry.description.includes('\\[Log in\\](https:/evil.example)'), entry.description);
  assert.ok(entry.description.endsWith(`b\n\n${link}`));
});

test('without rendered texts the plain ones are told, and that is noted', async () => {
  const { entry, noted } = await compose({ description: 'A node is not ready' }, failed);
  assert.equal(entry.summary, 'A node is not ready');
  assert.equal(entry.description, `Nodes may stop to be ready.\n\n${link}`);
  assert.deepEqual(noted, [`${clusterId} NODE_NOT_READY TEMPLATE_FAILED`]);
});

test('the rule’s name stands in for a description that is template code', async () => {
  const { entry } = await compose(
    { description: 'Node {{=pydata.x}}', ruleName: 'Node not ready', summary: '{{x}}' },
    failed,
  );
  assert.equal(entry.summary, 'Node not ready');
  const nameless = await compose({ description: '', ruleName: ' ', summary: 'A plain summary.' }, failed);
  assert.equal(nameless.entry.summary, 'node_not_ready');
  assert.equal(nameless.entry.description, `A plain summary.\n\n${link}`);
});

test('G10: a renderer that answers too few, or a blank description, is made up for', async () => {
  assert.equal((await compose({}, [])).noted.length, 1);
  const blank = await compose({}, renderedAs(' \u0000 ', 'r'));
  assert.equal(blank.entry.summary, 'A node is not ready');
  assert.deepEqual(blank.noted, []);
});

test('G10: a renderer that is away gives no entries at all', async () => {
  const away = new CcxError('away', { code: 'RENDERER_UNAVAILABLE', category: 'connection', retryable: true });
  await assert.rejects(compose({}, away), { code: 'RENDERER_UNAVAILABLE' });
});

test('a total risk outside of the known ones is Info', async () => {
  assert.equal((await compose({ totalRisk: 0 }, renderedAs('d', 'r'))).entry.severity, 'Info');
  assert.equal((await compose({ totalRisk: 5 }, renderedAs('d', 'r'))).entry.severity, 'Info');
});

test('code in links and broken characters do not reach people', async () => {
  const { entry } = await compose({}, renderedAs('two\nlines\u0000 \ud800', '[x](javascript:alert(1)) \u001b[31m'));
  assert.equal(entry.summary, 'two lines \ufffd');
  assert.equal(entry.description, `[x](#)) [31m\n\n${link}`);
});

test('a component made up to end the link early stays inside it', async () => {
  const { entry } = await compose({ component: 'x) [evil](javascript:1.node_not_ready.report' }, failed);
  assert.match(
    entry.description,
    /\[More details\]\(https:[^)\s]*x%29%20%5Bevil%5D%28javascript:1\.node_not_ready\|NODE_NOT_READY\)\.$/,
  );
});

function resolved(texts: IssueTexts, reports = 2) {
  const { type, component, errorKey, rule, content } = dueIssue(texts);
  const clock = createManualClock();
  const issue = { type, component, errorKey, rule, content, cluster: clusterId, reports };
  const sent = composeResolvedEntry(issue, { now: clock.now(), uuid: () => clock.uuid() }, settings);
  return { sent, entry: parseServiceLogEntry(sent.body) };
}

test('an entry of its own says that an issue is resolved, without a template', () => {
  const { sent, entry } = resolved({});
  assert.deepEqual(entry, {
    cluster_uuid: clusterId,
    description: `The cluster's last 2 reports were without this issue: A node is not ready\n\n${link}`,
    service_name: 'CCX Notification Service',
    severity: 'Info',
    summary: 'Resolved: A node is not ready',
    created_by: settings.createdBy,
    username: settings.username,
    event_stream_id: sent.id,
  });
  const template = resolved({ description: 'Node {{=pydata.x}}', ruleName: 'Node not ready' }, 1).entry;
  assert.equal(template.summary, 'Resolved: Node not ready');
  assert.match(template.description, /^The cluster's last report was without this issue: Node not ready\n/);
  const long = resolved({ description: '😀'.repeat(300) }).entry;
  assert.ok(Buffer.byteLength(long.summary) <= SERVICE_LOG_SUMMARY_BYTES_MAX && long.description.endsWith(link));
});
