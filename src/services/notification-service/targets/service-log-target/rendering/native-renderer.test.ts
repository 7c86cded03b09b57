/** Texts rendered in real child processes: right texts, hostile data, templates that fail, loop or fill memory. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { dueCluster, dueIssue, type IssueTexts } from '../../../../../../test/support/due-cluster.ts';
import { createSystemClock } from '../../../../../platform/clock/clock.ts';
import { safeMarkdown } from '../safe-text.ts';
import { createNativeRenderer, rendersAtOnceMax, templateStopsMax } from './native-renderer.ts';
import type { RenderedIssue } from './template-renderer.ts';

const renderer = createNativeRenderer({ clock: createSystemClock(), renderMsMax: 500 });
after(() => renderer.close());

async function render(...issues: IssueTexts[]): Promise<readonly RenderedIssue[]> {
  return renderer.render(dueCluster(issues.map((issue) => dueIssue(issue))));
}

function codeOf(result: RenderedIssue | undefined): string | undefined {
  return result?.kind === 'failed' ? result.error.code : result?.kind;
}

test('description and reason are filled with the issue’s details', async () => {
  const [result] = await render({ description: 'Node {{=pydata.node}} is not ready' });
  assert.deepEqual(result, {
    kind: 'rendered',
    ruleId: 'ccx_rules_ocp.external.rules.node_not_ready',
    description: 'Node worker-1 is not ready',
    reason: 'Node worker-1 is not ready.\n',
  });
});

test('content found by short name is rendered for the module of the report', async () => {
  const [result] = await render({ component: 'ccx_rules_ocp.internal.rules.node_not_ready.report' });
  assert.equal(result?.kind === 'rendered' && result.ruleId, 'ccx_rules_ocp.internal.rules.node_not_ready');
});

test('a template that fails costs its own issue only, and results keep the order', async () => {
  const results = await render(
    { reason: '{{=pydata.missing.member}}' },
    { reason: 'fine' },
    { reason: '{{? }}' },
    { details: 'null' },
    { details: '{broken' },
    { description: '' },
  );
  assert.deepEqual(results.map(codeOf), [
    'TEMPLATE_FAILED',
    'rendered',
    'TEMPLATE_FAILED',
    'TEMPLATE_FAILED',
    'TEMPLATE_FAILED',
    'TEMPLATE_FAILED',
  ]);
});

test('a template that loops is stopped, its neighbours are rendered, and after three times it is left alone', async () => {
  const looping: IssueTexts = { rule: 'looping', reason: '{{ for (;;) {} }}' };
  const [stopped, fine] = await render(looping, {});
  assert.deepEqual([codeOf(stopped), codeOf(fine)], ['TEMPLATE_STOPPED', 'rendered']);
  for (let i = 1; i < templateStopsMax; i += 1) assert.equal(codeOf((await render(looping))[0]), 'TEMPLATE_STOPPED');
  assert.equal(codeOf((await render(looping))[0]), 'TEMPLATE_RESTING');
  assert.equal(codeOf((await render({}))[0]), 'rendered');
});

test('templates see neither the process nor its modules', async () => {
  const [result] = await render({
    reason: '{{=typeof process}} {{=typeof require}} {{=typeof globalThis.fetch}} {{=typeof Buffer}}',
  });
  assert.equal(result?.kind === 'rendered' && result.reason, 'undefined undefined undefined undefined');
});

test('data cannot act, and ten thousand levels of it do no harm', async () => {
  const deep = `${'{"node":'.repeat(10_000)}1${'}'.repeat(10_000)}`;
  const [html, nested, proto] = await render(
    { details: '{"node":"<script>alert(1)</script>"}' },
    { details: deep, reason: 'deep' },
    { details: '{"__proto__":{"polluted":"yes"},"node":"x"}', reason: '{{=({}).polluted}}' },
  );
  assert.ok(html?.kind === 'rendered');
  assert.equal(safeMarkdown(html.reason), 'Node \\<script>alert(1)\\</script> is not ready.\n');
  assert.equal(codeOf(nested), 'rendered');
  assert.equal(proto?.kind === 'rendered' && proto.reason, 'undefined');
});

test('more issues than wait at once are all rendered, in order', async () => {
  const many = Array.from({ length: rendersAtOnceMax * 40 }, (_, i) => ({ details: `{"node":${i}}` }));
  const results = await render(...many);
  assert.deepEqual(
    results.map((result) => result.kind === 'rendered' && result.reason),
    many.map((_, i) => `Node ${i} is not ready.\n`),
  );
});

test('a text of absurd length leaves the child cut', async () => {
  const [result] = await render({ reason: '{{=new Array(1000001).join("x")}}' });
  assert.equal(result?.kind === 'rendered' && result.reason.length, 16 * 1024);
});

test('a closed renderer says that it is away', async () => {
  const closed = createNativeRenderer({ clock: createSystemClock() });
  const away = { code: 'RENDERER_UNAVAILABLE', retryable: true };
  const rendering = assert.rejects(closed.render(dueCluster()), away);
  await closed.close();
  await rendering;
  await assert.rejects(closed.render(dueCluster()), away);
  const neverUsed = createNativeRenderer({ clock: createSystemClock() });
  await neverUsed.close();
  await assert.rejects(neverUsed.render(dueCluster()), away);
});
