/**
 * A receiver of type alertmanager meets a real Alertmanager: what it shows, what it forgets when it is killed and is posted again, what it
 * silences, what it refuses; and the sample of its configuration does what it says.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { repositoryRoot } from '../../scripts/docs/source-tree.ts';
import type { PostableAlert } from '../../src/contracts/alertmanager.ts';
import { createSystemClock } from '../../src/platform/clock/clock.ts';
import { postBatch, searchingBudget } from '../../src/services/notification-service/alerts/post-batch.ts';
import { readExplanation } from '../../src/services/notification-service/store/explain.ts';
import { testAlert } from '../../src/services/notification-service/targets/alertmanager-target/compose-alert.ts';
import { fillWithIssues } from '../support/many-issues.ts';
import { reportOf, type Timeline, testCluster, withTimeline } from '../support/notification-timeline.ts';
import { startAlertmanager } from '../support/prometheus.ts';
import { until } from '../support/until.ts';
import { openTestReceivers, receiversToml } from '../support/webhook-receiver.ts';

const sample = join(repositoryRoot, 'deploy/alertmanager/recommendations.yaml');

function amtool(...args: readonly string[]) {
  const { status, stdout, stderr } = spawnSync('amtool', args, { encoding: 'utf8' });
  return { status, output: `${stdout}${stderr}`.trim() };
}

test('the sample of a configuration can be read, and leads each alert to whom it is for', () => {
  const checked = amtool('check-config', sample);
  assert.equal(checked.status, 0, checked.output);
  const routes: Readonly<Record<string, readonly string[]>> = {
    'recommendations-on-call': ['source=ccx-notifications', 'severity=critical'],
    'recommendations-daily': ['source=ccx-notifications', 'severity=warning'],
    others: ['alertname=Watchdog', 'severity=critical'],
  };
  for (const [receiver, labels] of Object.entries(routes)) {
    const tested = amtool(
      'config',
      'routes',
      'test',
      `--config.file=${sample}`,
      `--verify.receivers=${receiver}`,
      ...labels,
    );
    assert.equal(tested.status, 0, `${receiver}: ${tested.output}`);
  }
});

let alertmanager: Awaited<ReturnType<typeof startAlertmanager>>;

before(async () => {
  alertmanager = await startAlertmanager(await readFile(sample, 'utf8'));
});

interface ShownAlert {
  readonly labels: { readonly error_key: string };
  readonly annotations: { readonly ended_because?: string; readonly notification_id: string };
}

async function shown(): Promise<readonly ShownAlert[]> {
  const answer = await fetch(`${alertmanager.url}/api/v2/alerts?filter=source%3D%22ccx-notifications%22`);
  return (await answer.json()) as ShownAlert[];
}

const keys = async () => (await shown()).map(({ labels }) => labels.error_key).sort();

async function receiversOf(line: Timeline, changes: Parameters<typeof receiversToml>[0][number] = {}) {
  const entry = { name: 'alerts', type: 'alertmanager', url: alertmanager.url, ...changes };
  return await openTestReceivers(receiversToml([entry]), line.clock);
}

test('one that is killed shows the same alerts again within two rounds, and is told what ends', () =>
  withTimeline({ targets: [] }, async (line) => {
    // The Alertmanager has a clock of its own.
    await line.clock.advance(Date.now() - line.clock.now().getTime());
    line.setReceivers(await receiversOf(line));
    await line.store(reportOf('CRITICAL', 'IMPORTANT'));
    await line.run();
    assert.deepEqual(await keys(), ['CRITICAL', 'IMPORTANT']);
    const ids = (await shown()).map(({ annotations }) => annotations.notification_id).sort();
    await alertmanager.kill();
    await line.run();
    await alertmanager.restart();
    assert.deepEqual(await keys(), [], 'it forgets');
    await line.run();
    assert.deepEqual((await shown()).map(({ annotations }) => annotations.notification_id).sort(), ids);

    await line.acknowledge();
    await line.run();
    await until(async () => (await keys()).join() === 'IMPORTANT');
    const silence = await fetch(`${alertmanager.url}/api/v2/silences`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        matchers: [{ name: 'error_key', value: 'IMPORTANT', isRegex: false, isEqual: true }],
        startsAt: new Date().toISOString(),
        endsAt: new Date(Date.now() + 3_600_000).toISOString(),
        ...{ createdBy: 'ada', comment: 'known' },
      }),
    });
    assert.equal(silence.status, 200);
    await until(async () => {
      await line.run();
      const { issues } = await readExplanation(line.database, testCluster, { now: line.clock.now().toISOString() });
      const silenced = issues.find(({ alertmanager_silence: one }) => one !== null);
      return silenced?.error_key === 'IMPORTANT' && silenced.alertmanager_silence?.comment === 'known';
    });
  }));

test('the one that it refuses is found among those that it takes', async () => {
  const clock = createSystemClock();
  const [receiver] = await openTestReceivers(
    receiversToml([{ name: 'alerts', type: 'alertmanager', url: alertmanager.url }]),
    clock,
  );
  const [member] = await receiver!.target.alerts!.members();
  const one = testAlert({ now: clock.now(), uuid: () => clock.uuid() });
  const alerts = Array.from({ length: 20 }, (_, index): PostableAlert => {
    const ends = index === 7 ? { endsAt: '2020-01-01T00:00:00Z' } : {};
    return { ...one, ...ends, labels: { ...one.labels, error_key: `TEST_${index}` } };
  });
  const { signal } = new AbortController();
  const posted = await postBatch((batch) => member!.post(batch, signal), alerts, searchingBudget());
  assert.equal(posted.error, undefined);
  assert.deepEqual(
    posted.refused.map(({ alert, detail }) => [alert.labels.error_key, /start time must/.test(detail)]),
    [['TEST_7', true]],
  );
  const taken = (await keys()).filter((key) => key.startsWith('TEST_'));
  assert.equal(taken.length, 19);
});

test('20,000 active issues reach it in a round', (context) =>
  withTimeline({ targets: [] }, async (line) => {
    await line.clock.advance(Date.now() - line.clock.now().getTime());
    line.setReceivers(await receiversOf(line, { name: 'fleet' }));
    await fillWithIssues(line.database, 20_000);
    const rounds: number[] = [];
    for (let round = 0; round < 2; round += 1) {
      const startedMs = performance.now();
      await line.run();
      rounds.push(Math.round(performance.now() - startedMs));
    }
    context.diagnostic(`the first round, which writes the ledger, and the next: ${rounds.join(' and ')} ms`);
    const found = await fetch(
      `${alertmanager.url}/api/v2/alerts?filter=error_key%3D%22CRITICAL%22&filter=org_id%3D%221%22`,
    );
    assert.equal(((await found.json()) as unknown[]).length, 20_000);
  }));

test('a test message of ccx receivers arrives', async () => {
  const clock = createSystemClock();
  const [receiver] = await openTestReceivers(
    receiversToml([{ name: 'alerts', type: 'alertmanager', url: alertmanager.url }]),
    clock,
  );
  const { target } = receiver!;
  const notification = await target.composeTest({ now: clock.now(), uuid: () => clock.uuid() });
  const { signal } = new AbortController();
  const result = await target.deliver({ notification, mayHaveArrived: false, signal });
  assert.equal(result.kind, 'delivered');
  assert.ok((await keys()).includes('TEST'));
});
