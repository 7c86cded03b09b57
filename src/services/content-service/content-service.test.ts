/** The content service over HTTP, as the notification service and the smart proxy see it. Source: data-pipeline.md 8.4. */
import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { temporaryFolder } from '../../../test/support/temporary-folder.ts';
import { listening } from '../../../test/support/test-server.ts';
import { until } from '../../../test/support/until.ts';
import { watchEvents } from '../../../test/support/watch-events.ts';
import { decodeRuleContent } from '../../contracts/rule-content-gob.ts';
import { CcxError } from '../../encoding/ccx-error.ts';
import { createSystemClock } from '../../platform/clock/clock.ts';
import { loadConfig } from '../../platform/config/load-config.ts';
import { callHttp } from '../../platform/http/http-client.ts';
import { createSilentTelemetry } from '../../platform/telemetry/telemetry.ts';
import { CATALOG_CONTENT_ROOT } from '../../rules/catalog/content-root.ts';
import { loadContent } from '../../rules/content/load-content.ts';
import { contentServiceOptions, contentServiceSettings } from './config.ts';
import { startContentService } from './service.ts';

function settingsOf(env: Readonly<Record<string, string>>) {
  const all = { INSIGHTS_CONTENT_SERVICE__SERVER__ADDRESS: '127.0.0.1:0', ...env };
  return contentServiceSettings(loadConfig(contentServiceOptions, { env: all }).config);
}

async function start(context: TestContext, env: Readonly<Record<string, string>> = {}) {
  const dependencies = { telemetry: createSilentTelemetry(), clock: createSystemClock() };
  const service = await startContentService(settingsOf(env), dependencies);
  context.after(() => service.stop());
  const get = async (path: string) => {
    const answer = await callHttp(`${service.url}${path}`);
    return { ...answer, text: answer.body.toString('utf8'), type: answer.headers.get('content-type') };
  };
  return { service, get };
}

/** A content root with these files. */
async function contentRoot(files: Readonly<Record<string, string>>): Promise<string> {
  const root = temporaryFolder();
  for (const [path, text] of Object.entries(files)) {
    await mkdir(join(root, path, '..'), { recursive: true });
    await writeFile(join(root, path), text);
  }
  return root;
}

test('the prefix itself says that the service is there', async (context) => {
  const { get } = await start(context);
  assert.deepEqual(JSON.parse((await get('/api/v1/')).text), { status: 'ok' });
});

test('content is served as gob and, on request, as JSON', async (context) => {
  const { directory } = await loadContent(CATALOG_CONTENT_ROOT);
  const { get } = await start(context);
  const gob = await get('/api/v1/content');
  assert.equal(gob.type, 'application/octet-stream');
  assert.deepEqual(decodeRuleContent(gob.body), directory);
  const json = await get('/api/v1/content?format=json');
  assert.equal(json.type, 'application/json; charset=utf-8');
  assert.deepEqual(JSON.parse(json.text), directory);
});

test('groups are served with title, description and tags', async (context) => {
  const { get } = await start(context);
  const { groups, status } = JSON.parse((await get('/api/v1/groups')).text);
  assert.equal(status, 'ok');
  assert.deepEqual(
    groups.map((group: { title: string; tags: string[] }) => [group.title, group.tags]),
    [
      ['Service Availability', ['service_availability']],
      ['Security', ['security']],
      ['Fault Tolerance', ['fault_tolerance']],
      ['Performance', ['performance']],
      ['Best Practices', ['best_practices']],
    ],
  );
});

test('the status tells which rules were loaded, and a filter chooses among them', async (context) => {
  const root = await contentRoot({
    'config.yaml': 'impact: {}\n',
    'external/rules/good/plugin.yaml': 'name: Good\n',
    'external/rules/bad/plugin.yaml': 'name: [\n',
    'internal/hidden/plugin.yaml': 'name: Hidden\n',
  });
  const { get } = await start(context, { INSIGHTS_CONTENT_SERVICE__CONTENT__PATH: root });
  const rulesOf = async (query: string) => JSON.parse((await get(`/api/v1/status${query}`)).text).rules;
  const all = await rulesOf('');
  assert.deepEqual(Object.keys(all), ['bad', 'good', 'hidden']);
  assert.deepEqual(all.good, { type: 'external', loaded: true, error: '' });
  assert.equal(all.bad.loaded, false);
  assert.notEqual(all.bad.error, '');
  for (const [query, names] of [
    ['?external', ['bad', 'good']],
    ['?internal', ['hidden']],
    ['?internal=0&rule=good', ['good', 'hidden']],
    ['?rule=bad&rule=hidden', ['bad', 'hidden']],
    ['?rule=unknown', []],
    ['?other=1', ['bad', 'good', 'hidden']],
  ] as const) {
    assert.deepEqual(Object.keys(await rulesOf(query)), names, query);
  }
});

test('what is wrong with the content is told at the start, by file and line', async (context) => {
  const root = await contentRoot({
    'config.yaml': 'impact: {}\nresolution_risk: {}\n',
    'external/rules/bad/plugin.yaml': 'name: Bad\npython_module: [\n',
    'external/rules/odd/plugin.yaml': 'name: Odd\n',
    'external/rules/odd/more_info.md': 'see\n{{? pydata.a }}',
  });
  const events = watchEvents();
  context.after(() => events.close());
  await start(context, { INSIGHTS_CONTENT_SERVICE__CONTENT__PATH: root });
  assert.deepEqual(events.seen('content-loaded')[0]?.fields['faults'], [
    'external/rules/bad/plugin.yaml:3: not YAML: Flow sequence in block collection must be sufficiently indented and end with a ]',
    'external/rules/odd/more_info.md:2: {{? … }} has no {{?}}',
  ]);
});

test('rules of another content service are served beside our own; whose counts, by rule, is a setting', async (context) => {
  const rule = (text: string) => ({
    'plugin.yaml': 'python_module: a.b.shared\n',
    'KEY/metadata.yaml': 'description: d\n',
    'KEY/generic.md': 'g',
    'KEY/reason.md': text,
    'KEY/resolution.md': 'r',
  });
  const rootOf = (text: string, ...names: string[]) =>
    contentRoot({
      'config.yaml': 'impact: {}\nresolution_risk: {}\n',
      ...Object.fromEntries(
        names.flatMap((name) => Object.entries(rule(text)).map(([file, body]) => [`external/${name}/${file}`, body])),
      ),
    });
  const hosted = await start(context, {
    INSIGHTS_CONTENT_SERVICE__CONTENT__PATH: await rootOf('hosted', 'shared', 'swapped', 'theirs'),
  });
  const own = { INSIGHTS_CONTENT_SERVICE__CONTENT__PATH: await rootOf('own', 'shared', 'swapped', 'ours') };
  const beside = {
    ...own,
    INSIGHTS_CONTENT_SERVICE__HOSTED__SERVER: new URL(hosted.service.url).host,
    INSIGHTS_CONTENT_SERVICE__HOSTED__EXCEPTIONS: 'swapped',
  };
  for (const [env, expected] of [
    [beside, { ours: 'own', shared: 'own', swapped: 'hosted', theirs: 'hosted' }],
    [
      { ...beside, INSIGHTS_CONTENT_SERVICE__HOSTED__FIRST: 'hosted' },
      { ours: 'own', shared: 'hosted', swapped: 'own', theirs: 'hosted' },
    ],
  ] as const) {
    const { get } = await start(context, env);
    const { rules } = decodeRuleContent((await get('/api/v1/content')).body);
    const said = Object.entries(rules).map(([name, { error_keys: keys }]) => [name, keys['KEY']?.reason]);
    assert.deepEqual(Object.fromEntries(said), expected);
  }
  const away = { ...own, INSIGHTS_CONTENT_SERVICE__HOSTED__SERVER: '127.0.0.1:1' };
  await assert.rejects(start(context, away), isError('CONTENT_UNAVAILABLE'));
});

test('the renderer is served beside the content, and its document under another path', async (context) => {
  const { service, get } = await start(context);
  const headers = { 'Content-Type': 'application/json' };
  const body = JSON.stringify({ content: [], report_data: { clusters: ['c'], reports: {} } });
  const answer = await callHttp(`${service.url}/v1/rendered_reports`, { method: 'POST', headers, body });
  assert.deepEqual(JSON.parse(answer.body.toString('utf8')), { clusters: ['c'], reports: {} });
  assert.ok(Object.hasOwn(JSON.parse((await get('/openapi.json')).text).paths, '/v1/rendered_reports'));
  assert.match((await get('/metrics')).text, /api_endpoints_requests\{endpoint="\/v1\/rendered_reports"\} 1/);
  const { get: atRoot } = await start(context, { INSIGHTS_CONTENT_SERVICE__SERVER__API_PREFIX: '/' });
  assert.ok(Object.hasOwn(JSON.parse((await atRoot('/openapi.json')).text).paths, '/content'));
});

test('versions are told under the names of the hosted service', async (context) => {
  const { get } = await start(context);
  assert.deepEqual(Object.keys(JSON.parse((await get('/api/v1/info')).text).info), [
    'BuildVersion',
    'BuildTime',
    'BuildBranch',
    'BuildCommit',
    'UtilsVersion',
    'OCPRulesVersion',
  ]);
});

test('requests are counted under the names of the hosted service, with a namespace when asked for', async (context) => {
  const { get } = await start(context, { INSIGHTS_CONTENT_SERVICE__METRICS__NAMESPACE: 'content' });
  await get('/api/v1/groups');
  await get('/api/v1/nothing');
  const { text, type } = await get('/api/v1/metrics');
  assert.match(type ?? '', /^text\/plain/);
  assert.match(text, /^content_api_endpoints_requests\{endpoint="\/api\/v1\/groups"\} 1$/m);
  assert.match(text, /^content_api_endpoints_response_time_bucket\{le="20",endpoint="\/api\/v1\/groups"\} 1$/m);
  assert.match(text, /^content_api_endpoints_status_codes\{status_code="200"\} 1$/m);
  assert.ok(!text.includes('nothing'));
});

test('the OpenAPI document lists exactly the paths that are served', async (context) => {
  const { get } = await start(context);
  const { paths } = JSON.parse((await get('/api/v1/openapi.json')).text);
  for (const path of Object.keys(paths)) assert.equal((await get(`/api/v1${path}`)).status, 200, path);
  assert.equal(Object.keys(paths).length, 7);
});

test('another prefix is served in the place of the usual one', async (context) => {
  const { get } = await start(context, { INSIGHTS_CONTENT_SERVICE__SERVER__API_PREFIX: 'rules' });
  assert.equal((await get('/rules/groups')).status, 200);
  assert.equal((await get('/api/v1/groups')).status, 404);
});

test('it is ready with rules and not ready without, and says what to change', async (context) => {
  const { service, get } = await start(context);
  assert.deepEqual(await service.readiness(), { ready: true, reasons: [] });
  assert.equal((await get('/ready')).status, 200);
  assert.equal(await service.idle(), true);

  const root = await contentRoot({ 'config.yaml': 'impact: {}\n' });
  const empty = await start(context, { INSIGHTS_CONTENT_SERVICE__CONTENT__PATH: root });
  const { status, text } = await empty.get('/ready');
  assert.equal(status, 503);
  assert.match(text, /content\.path/);
});

const isError = (code: string) => (error: unknown) => error instanceof CcxError && error.code === code && !!error.hint;

test('files that cannot be read stop the start with the setting to change', async (context) => {
  const groups = await contentRoot({ 'groups.yaml': 'security: none\n' });
  for (const [env, code] of [
    [{ INSIGHTS_CONTENT_SERVICE__CONTENT__PATH: '/nowhere' }, 'CONTENT_UNREADABLE'],
    [{ INSIGHTS_CONTENT_SERVICE__GROUPS__PATH: '/nowhere' }, 'GROUPS_UNREADABLE'],
    [{ INSIGHTS_CONTENT_SERVICE__GROUPS__PATH: join(groups, 'groups.yaml') }, 'GROUPS_UNREADABLE'],
    [{ INSIGHTS_CONTENT_SERVICE__SERVER__API_SPEC_FILE: '/nowhere.json' }, 'SPEC_FILE_UNREADABLE'],
  ] as const) {
    await assert.rejects(start(context, env), isError(code));
  }
});

test('an address that is taken stops the start', async (context) => {
  const { port, close } = await listening(createServer());
  context.after(close);
  const env = { INSIGHTS_CONTENT_SERVICE__SERVER__ADDRESS: `127.0.0.1:${port}` };
  await assert.rejects(start(context, env), isError('HTTP_LISTEN'));
});

test('an address is read as Go reads it', () => {
  const addressOf = (text: string) => {
    const { host, port } = settingsOf({ INSIGHTS_CONTENT_SERVICE__SERVER__ADDRESS: text });
    return [host, port];
  };
  assert.deepEqual(addressOf(':8080'), ['0.0.0.0', 8080]);
  assert.deepEqual(addressOf('localhost:80'), ['localhost', 80]);
  assert.deepEqual(addressOf('[::1]:8080'), ['::1', 8080]);
  for (const text of ['8080', 'host', 'host:', '::1:80', 'host:99999']) {
    assert.throws(() => addressOf(text), isError('CONFIG_INVALID'), text);
  }
});

test('texts of rule packs are served beside the others, also after a change', async (context) => {
  const pack = await contentRoot({ 'pack.yaml': 'name: ours\nversion: "1"\nowner: us\n' });
  const write = (title: string) =>
    writeFile(
      join(pack, 'rules', 'a.yaml'),
      `key: A_RULE\ntitle: ${title}\nimpact: Data Loss\nlikelihood: 1\ninputs: { a: config/a.json }\nwhen: a.x == 1\nreason: So.\n`,
    );
  await mkdir(join(pack, 'rules'));
  await write('It is wrong');
  const { get } = await start(context, { INSIGHTS_CONTENT_SERVICE__RULES__PACKS: pack });
  const descriptionServed = async () =>
    decodeRuleContent((await get('/api/v1/content')).body).rules['A_RULE']?.error_keys['A_RULE']?.metadata.description;
  assert.equal(await descriptionServed(), 'It is wrong');
  assert.deepEqual(JSON.parse((await get('/api/v1/status?rule=A_RULE')).text).rules, {
    A_RULE: { type: 'external', loaded: true, error: '' },
  });
  await write('It is very wrong');
  await until(async () => (await descriptionServed()) === 'It is very wrong');
});
