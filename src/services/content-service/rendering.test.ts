/** Texts rendered over HTTP, in real child processes, as a user of the hosted renderer sees it. Source: data-pipeline.md 8.6. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createSystemClock } from '../../platform/clock/clock.ts';
import { callHttp } from '../../platform/http/http-client.ts';
import { createHttpServer, type HttpServer } from '../../platform/http/http-server.ts';
import { createSilentTelemetry } from '../../platform/telemetry/telemetry.ts';
import { createRendering, renderRequestBytesMax, renderRequestsMax } from './rendering.ts';

const outcomes: string[] = [];
const clock = createSystemClock();
const rendering = createRendering({
  ...{ clock, telemetry: createSilentTelemetry(), renderMsMax: 500 },
  events: { itemRendered: (outcome, { key }) => void outcomes.push(`${key} ${outcome}`) },
});
let server: HttpServer;
let url = '';
before(async () => {
  server = createHttpServer({ host: '127.0.0.1', port: 0, bodyBytesMax: 1024, portSetting: 'none', clock });
  rendering.addRoutes(server.app, '{"openapi":"3.0.3"}');
  url = await server.listen();
});
after(async () => {
  await server.close();
  await rendering.close();
});

const texts = { generic: 'g', summary: 's', more_info: 'm', HasReason: true };

function content(module: string, keys: Readonly<Record<string, object>>, rule: object = {}) {
  const plugin = { name: 'n', node_id: '', product_code: 'OCP4', python_module: module };
  return { plugin, error_keys: keys, ...texts, resolution: 'rule resolution', reason: 'rule reason', ...rule };
}

const item = (key: string, details: unknown, component = 'a.b.rule.report') => ({
  type: 'rule',
  component,
  key,
  details,
});

const rule = content('a.b.rule', {
  OWN: {
    metadata: { description: 'about {{=pydata.name}}', impact: { name: 'i', impact: 1 } },
    reason: 'because of {{=pydata.name}}',
    resolution: '{{~pydata.steps :s}}{{=s}};{{~}}',
  },
  RULES: { metadata: { description: 'd' }, reason: '', resolution: '' },
  NO_DESCRIPTION: { metadata: {}, reason: 'r', resolution: 'r' },
  BROKEN: { metadata: { description: 'd' }, reason: '{{=pydata.a.b.c}}', resolution: '' },
  LOOPING: { metadata: { description: 'd' }, reason: '{{ for (;;) {} }}', resolution: '' },
  CURIOUS: {
    metadata: { description: '{{=typeof process}} {{=pydata.constructor.constructor("return typeof process")()}}' },
  },
});

async function post(body: unknown, path = '/v1/rendered_reports') {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const headers = { 'Content-Type': 'application/json' };
  const answer = await callHttp(`${url}${path}`, { method: 'POST', headers, body: text });
  return { status: answer.status, headers: answer.headers, json: JSON.parse(answer.body.toString('utf8')) };
}

const request = (reports: Readonly<Record<string, readonly object[]>>, rules: readonly object[] = [rule]) => ({
  content: rules,
  report_data: {
    clusters: Object.keys(reports),
    reports: Object.fromEntries(Object.entries(reports).map(([cluster, items]) => [cluster, { reports: items }])),
  },
});

test('texts of the error key are filled in, or those of the rule where it has none, under both paths', async () => {
  const body = request({
    c1: [item('OWN', { name: 'č', steps: [1, 2] }), item('RULES', {})],
    c2: [item('RULES', {}, 'unknown.rule.report')],
  });
  for (const path of ['/v1/rendered_reports', '/rendered_reports']) {
    const { status, json } = await post(body, path);
    assert.equal(status, 200);
    assert.deepEqual(json, {
      clusters: ['c1', 'c2'],
      reports: {
        c1: [
          {
            ...{ rule_id: 'a.b.rule', error_key: 'OWN' },
            ...{ resolution: '1;2;', reason: 'because of č', description: 'about č' },
          },
          {
            ...{ rule_id: 'a.b.rule', error_key: 'RULES' },
            ...{ resolution: 'rule resolution', reason: 'rule reason', description: 'd' },
          },
        ],
      },
    });
  }
});

test('an item that cannot be rendered is left out alone, and a template that loops is stopped once', async () => {
  outcomes.length = 0;
  const keys = ['BROKEN', 'NO_DESCRIPTION', 'UNKNOWN', 'constructor', 'LOOPING', 'LOOPING', 'RULES'];
  const { status, json } = await post(request({ c1: keys.map((key) => item(key, {})) }));
  assert.equal(status, 200);
  assert.deepEqual(
    json.reports.c1.map(({ error_key: key }: { error_key: string }) => key),
    ['RULES'],
  );
  assert.deepEqual(outcomes, [
    'BROKEN template-failed',
    'NO_DESCRIPTION description-missing',
    'UNKNOWN error-key-unknown',
    'constructor error-key-unknown',
    'LOOPING template-stopped',
    'LOOPING template-stopped',
    'RULES rendered',
  ]);
});

test('the first content of a module counts', async () => {
  const other = content('a.b.rule', { RULES: { metadata: { description: 'other' } } });
  const { json } = await post(request({ c1: [item('RULES', {})] }, [other, rule]));
  assert.equal(json.reports.c1[0].description, 'other');
});

test('a template has no way out, and a cluster that is named __proto__ does no harm', async () => {
  const body = JSON.stringify(request({ c1: [item('CURIOUS', {})], proto: [item('RULES', {})] }));
  const { status, json } = await post(body.replaceAll('"proto"', '"__proto__"'));
  assert.equal(status, 200);
  assert.deepEqual(Object.keys(json.reports), ['c1']);
  assert.equal(json.reports.c1[0].description, 'undefined undefined');
});

test('a request of another form is answered 422 with what is wrong where', async () => {
  const { content: _, ...noContent } = request({});
  const incomplete = { ...rule, plugin: undefined, HasReason: 'yes' };
  for (const [body, detail] of [
    ['{', [{ type: 'json_invalid', loc: ['body', 0], msg: 'JSON decode error' }]],
    [noContent, [{ type: 'missing', loc: ['body', 'content'], msg: 'Field required' }]],
    [
      request({ c1: [item('OWN', undefined)] }),
      [
        {
          type: 'missing',
          loc: ['body', 'report_data', 'reports', 'c1', 'reports', 0, 'details'],
          msg: 'Field required',
        },
      ],
    ],
    [
      request({}, [incomplete]),
      [
        { type: 'missing', loc: ['body', 'content', 0, 'plugin'], msg: 'Field required' },
        { type: 'bool_type', loc: ['body', 'content', 0, 'HasReason'], msg: 'Input should be a valid boolean' },
      ],
    ],
    [
      { content: {}, report_data: { clusters: [1], reports: {} } },
      [
        { type: 'list_type', loc: ['body', 'content'], msg: 'Input should be a valid list' },
        { type: 'string_type', loc: ['body', 'report_data', 'clusters', 0], msg: 'Input should be a valid string' },
      ],
    ],
  ] as const) {
    const answer = await post(body);
    assert.deepEqual([answer.status, answer.json], [422, { detail }]);
  }
});

test('only POST is taken, of a bounded size', async () => {
  const got = await callHttp(`${url}/v1/rendered_reports`);
  assert.deepEqual([got.status, got.headers.get('allow')], [405, 'POST']);
  assert.equal((await post('x'.repeat(renderRequestBytesMax + 1))).status, 413);
});

test('more requests than may be worked on at once are asked to come again', async () => {
  const slow = content('a.b.rule', {
    SLOW: { metadata: { description: '{{ for (const end = Date.now() + 100; Date.now() < end; ); }}d' } },
  });
  const body = request({ c1: [item('SLOW', {})] }, [slow]);
  const answers = await Promise.all(Array.from({ length: renderRequestsMax * 3 }, () => post(body)));
  const refused = answers.filter(({ status }) => status === 503);
  assert.ok(refused.length > 0 && refused.every(({ headers }) => headers.get('retry-after') === '5'));
  const taken = answers.filter(({ status }) => status === 200);
  assert.ok(taken.length >= renderRequestsMax && taken.length + refused.length === answers.length);
  assert.ok(rendering.idle());
});

test('its own description is served', async () => {
  assert.equal((await callHttp(`${url}/openapi.json`)).body.toString('utf8'), '{"openapi":"3.0.3"}');
  assert.match((await callHttp(`${url}/docs`)).body.toString('utf8'), /rendered_reports/);
});
