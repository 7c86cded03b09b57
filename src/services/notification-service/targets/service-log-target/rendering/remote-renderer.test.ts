/** The hosted renderer's wire form, what is sent, and its ways to fail. */
import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type TestContext, test } from 'node:test';
import { clusterId, dueCluster, dueIssue } from '../../../../../../test/support/due-cluster.ts';
import { listening } from '../../../../../../test/support/test-server.ts';
import { templateRendererUrl } from '../../uri-template.ts';
import { createRemoteRenderer } from './remote-renderer.ts';

interface RenderRequest {
  readonly content: { readonly plugin: { readonly python_module: string } }[];
  readonly report_data: {
    readonly clusters: string[];
    readonly reports: Record<string, { readonly reports: { readonly component: string; readonly key: string }[] }>;
  };
}

/** Answers as the mock of the black-box suite does, unless told otherwise. */
async function setUp(
  t: TestContext,
  answer?: (request: RenderRequest, response: ServerResponse) => boolean,
  // Only who never answers uses it up.
  timeoutMs = 60_000,
) {
  const bodies: string[] = [];
  const server = createServer(async (request: IncomingMessage, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString('utf8');
    bodies.push(text);
    const asked = JSON.parse(text) as RenderRequest;
    if (answer?.(asked, response) === true) return;
    const reports = asked.report_data.reports[clusterId]!.reports.map((report) => ({
      rule_id: report.component.slice(0, report.component.lastIndexOf('.')),
      error_key: report.key,
      description: 'detailed description',
      reason: 'detailed report',
      resolution: 'detailed resolution',
    }));
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ clusters: [clusterId], reports: { [clusterId]: reports } }));
  });
  const { port, close } = await listening(server);
  t.after(close);
  const url = `http://127.0.0.1:${port}/rendered_reports`;
  return { bodies, url, renderer: createRemoteRenderer({ url, timeoutMs }) };
}

const twoIssues = () => dueCluster([dueIssue(), dueIssue({ rule: 'other', errorKey: 'OTHER' })]);

test('one request with the rules that are needed, details as they came', async (t) => {
  const { renderer, bodies } = await setUp(t);
  const details = '{"big":12345678901234567890,"one":1.0}';
  const issue = dueIssue({ details });
  const results = await renderer.render(dueCluster([issue, { ...issue, component: 'x.node_not_ready.report' }]));
  assert.deepEqual(
    results.map((result) => result.kind === 'rendered' && [result.ruleId, result.description, result.reason]),
    [
      ['ccx_rules_ocp.external.rules.node_not_ready', 'detailed description', 'detailed report'],
      ['x.node_not_ready', 'detailed description', 'detailed report'],
    ],
  );
  assert.equal(bodies.length, 1);
  const body = JSON.parse(bodies[0]!);
  assert.deepEqual(Object.keys(body), ['content', 'report_data']);
  assert.deepEqual(body.content, [issue.rule]);
  assert.deepEqual(body.report_data.clusters, [clusterId]);
  assert.ok(bodies[0]!.includes(`"key":"NODE_NOT_READY","details":${details},"TotalRisk":3}`));
});

test('a rendered report is found by its rule’s short name where the module differs', async (t) => {
  const { renderer } = await setUp(t, (_request, response) => {
    const reports = [
      { rule_id: 'elsewhere.node_not_ready', error_key: 'NODE_NOT_READY', reason: 'r', description: 'd' },
    ];
    response.end(JSON.stringify({ reports: { [clusterId]: reports } }));
    return true;
  });
  const [result] = await renderer.render(dueCluster());
  assert.equal(result?.kind === 'rendered' && result.ruleId, 'elsewhere.node_not_ready');
});

test('G10: issues that the renderer leaves out fail alone', async (t) => {
  const { renderer } = await setUp(t, (_request, response) => {
    response.end(JSON.stringify({ reports: {} }));
    return true;
  });
  assert.deepEqual(
    (await renderer.render(twoIssues())).map((result) => result.kind),
    ['failed', 'failed'],
  );
});

for (const status of [422, 500]) {
  test(`service Q27: after ${status} for all of them each issue is asked for alone`, async (t) => {
    const { renderer, bodies } = await setUp(t, (request, response) => {
      const bad = request.report_data.reports[clusterId]!.reports.some((report) => report.key === 'OTHER');
      if (bad) response.writeHead(status).end('Internal Server Error');
      return bad;
    });
    const results = await renderer.render(twoIssues());
    assert.deepEqual(
      results.map((result) => result.kind),
      ['rendered', 'failed'],
    );
    assert.equal(bodies.length, 3);
    assert.equal((await renderer.render(dueCluster([dueIssue({ errorKey: 'OTHER' })])))[0]?.kind, 'failed');
    assert.equal(bodies.length, 4);
  });
}

test('service Q27: a renderer that is away, breaks, hangs or is something else is away for the whole cluster', async (t) => {
  const answers: ((request: RenderRequest, response: ServerResponse) => boolean)[] = [
    (_request, response) => Boolean(response.writeHead(503).end()),
    (_request, response) => Boolean(response.writeHead(404).end()),
    (_request, response) => Boolean(response.end('<html>')),
    (_request, response) => Boolean(response.end('{"detail":"x"}')),
    (_request, response) => Boolean(response.socket?.resetAndDestroy()),
    () => true,
  ];
  for (const answer of answers) {
    const { renderer } = await setUp(t, answer, 200);
    await assert.rejects(renderer.render(twoIssues()), { code: 'RENDERER_UNAVAILABLE', retryable: true });
  }
  const absent = createRemoteRenderer({ url: 'http://renderer.invalid/rendered_reports' });
  await assert.rejects(absent.render(twoIssues()), { code: 'RENDERER_UNAVAILABLE' });
});

test('service Q19: the address is joined as in the reference, with a scheme added', () => {
  assert.equal(
    templateRendererUrl('http://localhost:8083/', 'rendered_reports'),
    'http://localhost:8083/rendered_reports',
  );
  assert.equal(
    templateRendererUrl('localhost:8083', '/v1/rendered_reports'),
    'http://localhost:8083/v1/rendered_reports',
  );
  assert.equal(templateRendererUrl('unknown_url', 'rendered_reports'), 'http://unknown_url/rendered_reports');
  assert.equal(templateRendererUrl('https://r/base//', '//a/b/'), 'https://r/base/a/b');
  assert.equal(templateRendererUrl('127.0.0.1:80', 'x'), 'http://127.0.0.1/x');
  for (const wrong of ['ftp://x', 'http://', 'a b', 'a\u0001b']) {
    assert.throws(() => templateRendererUrl(wrong, 'x'), { code: 'CONFIG_INVALID' }, wrong);
  }
});
