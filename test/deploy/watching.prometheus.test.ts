/**
 * The rules and the dashboards meet a real Prometheus: promtool runs the unit tests of the rules, and a server that scrapes an installation
 * evaluates every rule and answers every question of the dashboards.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse, stringify } from 'yaml';
import { dashboardQueries, dashboards } from '../../scripts/deploy/dashboards.ts';
import { exposedMetrics, metricRoles } from '../../scripts/docs/exposed-metrics.ts';
import { repositoryRoot } from '../../scripts/docs/source-tree.ts';
import { startInstallation } from '../support/installation.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { promtool, startPrometheus } from '../support/prometheus.ts';
import { until } from '../support/until.ts';

const rules = join(repositoryRoot, 'deploy/prometheus/ccx.rules.yaml');

test('each rule fires for what it is for and not for what it is not for', () => {
  const { code, output } = promtool('test', 'rules', join(repositoryRoot, 'deploy/prometheus/ccx.rules.test.yaml'));
  assert.equal(code, 0, output);
});

test('a rule that asks the wrong way round fails its test', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'ccx-rules-'));
  try {
    const text = await readFile(rules, 'utf8');
    const wrong = text.replace(
      'ccx_notification_outbox_oldest_seconds > 3600',
      'ccx_notification_outbox_oldest_seconds < 3600',
    );
    assert.notEqual(wrong, text);
    await writeFile(join(folder, 'ccx.rules.yaml'), wrong);
    const tests = parse(await readFile(join(repositoryRoot, 'deploy/prometheus/ccx.rules.test.yaml'), 'utf8'));
    const ofThat = tests.tests.filter(({ name }: { readonly name: string }) =>
      name.startsWith('CcxNotificationOverdue '),
    );
    assert.equal(ofThat.length, 2);
    await writeFile(join(folder, 'ccx.rules.test.yaml'), stringify({ ...tests, tests: ofThat }));
    const { code, output } = promtool('test', 'rules', join(folder, 'ccx.rules.test.yaml'));
    assert.notEqual(code, 0);
    assert.match(output, /CcxNotificationOverdue/);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test('the Prometheus and the Alertmanager of the compose file can read their configuration', () => {
  const prometheus = promtool('check', 'config', join(repositoryRoot, 'deploy/prometheus/prometheus.yaml'));
  assert.equal(prometheus.code, 0, prometheus.output);
  const file = join(repositoryRoot, 'deploy/alertmanager/alertmanager.yaml');
  const alertmanager = spawnSync('amtool', ['check-config', file], { encoding: 'utf8' });
  assert.equal(alertmanager.status, 0, alertmanager.stdout + alertmanager.stderr);
});

interface Answer<Data> {
  readonly status: string;
  readonly data: Data;
  readonly error?: string;
}

type RuleGroups = { readonly groups: readonly { readonly rules: readonly EvaluatedRule[] }[] };

interface EvaluatedRule {
  readonly name: string;
  readonly health: string;
  readonly state: string;
  readonly lastError?: string;
}

test('a Prometheus that scrapes an installation evaluates every rule and answers every dashboard', async () => {
  const system = await startInstallation({ database: await createTestDatabase() });
  try {
    const { host } = new URL(system.operationsUrl);
    const url = await startPrometheus({ 'ccx-all-in-one': { target: host, path: '/metrics' } }, rules);
    const ask = async <Data>(path: string) => (await (await fetch(`${url}${path}`)).json()) as Answer<Data>;

    const query = (expr: string) =>
      ask<{ readonly result: readonly unknown[] }>(`/api/v1/query?query=${encodeURIComponent(expr)}`);
    await until(async () => (await query('count_over_time(up[1m]) >= 2')).data.result.length > 0);
    let evaluated: readonly EvaluatedRule[] = [];
    await until(async () => {
      const { data } = await ask<RuleGroups>('/api/v1/rules');
      evaluated = data.groups.flatMap((group) => group.rules);
      return evaluated.length > 0 && evaluated.every(({ health }) => health !== 'unknown');
    });
    assert.deepEqual(
      evaluated.filter(({ health, lastError }) => health !== 'ok' || lastError !== undefined),
      [],
    );
    const firing = evaluated.filter(({ state }) => state === 'firing').map(({ name }) => name);
    assert.deepEqual(firing, [], 'nothing is wrong with it');

    const silent: string[] = [];
    for (const expr of dashboards.flatMap(dashboardQueries)) {
      const answer = await query(expr);
      assert.equal(answer.status, 'success', `${expr}: ${answer.error}`);
      if (answer.data.result.length === 0) silent.push(expr);
    }
    // Those of labels that nothing has happened to yet, and of the content service, which the all-in-one does not run.
    const asked = dashboards.flatMap(dashboardQueries).length;
    assert.ok(silent.length < asked / 2, `${silent.length} of ${asked}: ${silent.join('\n')}`);
    const unlabelled = metricRoles.filter((role) => role !== 'content').flatMap(exposedMetrics);
    const isUnlabelled = (expr: string) =>
      unlabelled.some(({ name, labels }) => labels.length === 0 && new RegExp(`\\b${name}\\b`).test(expr));
    const bare = silent.filter(isUnlabelled);
    assert.deepEqual(bare, [], 'series without labels of their own are there from the start');
  } finally {
    await system.end();
  }
});
