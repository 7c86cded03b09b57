/**
 * An Alertmanager behind reports and the ledger, with a stand-in that answers as it does: everything that is active in every round, one end
 * for what ended, one process that posts, and what it silences read back.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type FakeAlertmanager, startFakeAlertmanager } from '../../../test/support/fake-alertmanager.ts';
import { fillWithIssues } from '../../../test/support/many-issues.ts';
import {
  dayMs,
  hourMs,
  nextEvent,
  reportOf,
  type Timeline,
  type TimelineOptions,
  testCluster,
  testOrg,
  withTimeline,
} from '../../../test/support/notification-timeline.ts';
import { unusedPort } from '../../../test/support/test-server.ts';
import { until } from '../../../test/support/until.ts';
import { openTestReceivers, receiversToml } from '../../../test/support/webhook-receiver.ts';
import { createSilentTelemetry } from '../../platform/telemetry/telemetry.ts';
import { createAlertEvents } from './alerts/alert-events.ts';
import { auditOnce } from './auditor.ts';
import { formatExplanation } from './format-explanation.ts';
import { readExplanation } from './store/explain.ts';
import { listReceivers } from './store/receivers.ts';

type Changes = Parameters<typeof receiversToml>[0][number];

interface Scene {
  readonly line: Timeline;
  readonly fake: FakeAlertmanager;
  /** What the Alertmanager shows now. */
  shown(): string[];
  /** An hour later a report, and a run with its round. */
  report(...keys: string[]): Promise<void>;
  explained(): Promise<string>;
}

async function withAlerts(
  changes: (fake: FakeAlertmanager) => Changes,
  check: (scene: Scene) => Promise<void>,
  options: TimelineOptions = { targets: [] },
): Promise<void> {
  const fake = await startFakeAlertmanager();
  try {
    await withTimeline(options, async (line) => {
      const entry = { name: 'alerts', type: 'alertmanager', url: fake.url, ...changes(fake) };
      line.setReceivers(await openTestReceivers(receiversToml([entry]), line.clock));
      await check({
        line,
        fake,
        shown: () => fake.shown(line.clock.now()),
        async report(...keys) {
          await line.clock.advance(hourMs);
          await line.store(reportOf(...keys));
          await line.run();
        },
        explained: async () =>
          formatExplanation(
            testCluster,
            await readExplanation(line.database, testCluster, { now: line.clock.now().toISOString(), historyMax: 50 }),
          ),
      });
    });
  } finally {
    fake.close();
  }
}

const as = () => ({});

test('what is active is posted in every round, and ends once, when two reports were without it', () =>
  withAlerts(as, async ({ line, fake, shown, report }) => {
    await report('CRITICAL', 'IMPORTANT', 'LOW');
    assert.deepEqual(shown(), ['CRITICAL', 'IMPORTANT'], 'by the filter');
    const [before] = fake.taken();
    fake.forget();
    await line.run();
    assert.deepEqual(shown(), ['CRITICAL', 'IMPORTANT'], 'again, though nothing is news');
    const [again] = fake.taken();
    assert.deepEqual(again!.labels, before!.labels);
    assert.equal(again!.annotations.notification_id, before!.annotations.notification_id);
    await report('IMPORTANT');
    assert.deepEqual(shown(), ['CRITICAL', 'IMPORTANT'], 'gone is not resolved');
    await report('IMPORTANT');
    assert.deepEqual(shown(), ['CRITICAL: resolved', 'IMPORTANT']);
    fake.taken();
    await report('IMPORTANT', 'CRITICAL');
    assert.deepEqual(shown(), ['CRITICAL', 'IMPORTANT']);
    const back = fake.taken().find(({ labels }) => labels.error_key === 'CRITICAL')!;
    assert.notEqual(back.annotations.notification_id, before!.annotations.notification_id);
    assert.deepEqual(await line.outboxStates(), {}, 'the outbox knows nothing of it');
    assert.deepEqual(await line.reported(), []);
  }));

test('a run that writes nothing new for alerts that did not change', () =>
  withAlerts(as, async ({ line, report }) => {
    await report('CRITICAL');
    const ledger = () => line.database.query('SELECT *, xmin::text FROM ccx.notification_ledger ORDER BY error_key');
    const { rows } = await ledger();
    await line.clock.advance(hourMs);
    await line.run();
    assert.deepEqual((await ledger()).rows, rows);
  }));

test('acknowledged, disabled, below the threshold: each ends with its reason, and comes back when that is over', () =>
  withAlerts(as, async ({ line, shown, report, explained }) => {
    await report('CRITICAL', 'IMPORTANT');
    const id = await line.acknowledge();
    line.disable([[{ scope: testCluster, rule: 'test_rule', errorKey: 'IMPORTANT' }], []]);
    await line.run();
    assert.deepEqual(shown(), ['CRITICAL: acknowledged', 'IMPORTANT: disabled-by-cluster']);
    assert.match(await explained(), /disabled-by-cluster: .*\n {4}acknowledged by ada/);
    await line.unacknowledge(id);
    await line.run();
    assert.deepEqual(shown(), ['CRITICAL', 'IMPORTANT: disabled-by-cluster']);
    line.setRisks({ CRITICAL: { risk: 1 } });
    await line.run();
    assert.deepEqual(shown(), ['CRITICAL: below-threshold', 'IMPORTANT: disabled-by-cluster']);
  }));

test('an alert whose risk changes ends under the labels that it had', () =>
  withAlerts(as, async ({ line, fake, shown, report }) => {
    await report('CRITICAL');
    line.setRisks({ CRITICAL: { risk: 3 } });
    await line.run();
    await line.run();
    assert.deepEqual(shown(), ['CRITICAL', 'CRITICAL: alert-changed']);
    assert.equal(fake.batches.at(-1)![0]!.labels.severity, 'warning');
  }));

test('alerts of a cluster that stops reporting stay, and say so; ours away for an hour resolves nothing', () =>
  withAlerts(as, async ({ line, fake, shown, report }) => {
    await report('CRITICAL');
    await line.clock.advance(hourMs);
    assert.deepEqual(shown(), ['CRITICAL']);
    await line.clock.advance(8 * dayMs);
    await line.run();
    await line.run();
    assert.deepEqual(shown(), ['CRITICAL']);
    assert.match(fake.batches.at(-1)![0]!.annotations.stale_since ?? '', /^2026-/);
  }));

test('only its organizations and clusters; a receiver that ends nothing only stops', () =>
  withAlerts(
    () => ({ organizations: [String(testOrg)], send_resolved: false }),
    async ({ line, fake, shown, report }) => {
      await line.store(reportOf('IMPORTANT'), { cluster: '11111111-1f74-4ccf-91af-548dfc9767aa', orgId: 5 });
      await report('CRITICAL');
      assert.deepEqual(shown(), ['CRITICAL']);
      await report();
      await report();
      fake.taken();
      await line.run();
      assert.deepEqual(fake.taken(), []);
      assert.deepEqual(shown(), ['CRITICAL'], 'until it ends by itself');
    },
  ));

test('one bad alert is named and left out, and the others arrive', () =>
  withAlerts(as, async ({ line, fake, shown, report }) => {
    fake.isBad = ({ labels }) => labels.error_key === 'IMPORTANT';
    const refused = nextEvent('alert-refused');
    await report('CRITICAL', 'IMPORTANT', 'MODERATE');
    await refused;
    assert.deepEqual(shown(), ['CRITICAL', 'MODERATE']);
    const states = (await line.ledger()).map(({ key, state }) => `${key} ${state}`);
    assert.deepEqual(states, ['CRITICAL notified', 'IMPORTANT open', 'MODERATE notified']);
  }));

test('an alert that could not end is ended in the next round that arrives', () =>
  withAlerts(as, async ({ line, fake, shown, report }) => {
    await report('CRITICAL');
    fake.status = 503;
    await line.acknowledge();
    const said = nextEvent('alerts-not-posted');
    await line.run();
    assert.equal((await said).fields['code'], 'RECEIVER_UNAVAILABLE');
    const [receiver] = await listReceivers(line.database, line.clock.now().toISOString());
    assert.match(receiver!.pause_text ?? '', /answers 503 Service Unavailable/);
    fake.status = 200;
    await line.run();
    assert.deepEqual(shown(), ['CRITICAL: acknowledged']);
  }));

test('of several Alertmanagers one that hangs holds up no other, and one that is away neither', async () => {
  const hanging = await startFakeAlertmanager();
  hanging.hangs = true;
  const away = `http://127.0.0.1:${await unusedPort()}`;
  try {
    await withAlerts(
      ({ url }) => ({ url: [hanging.url, away, url].join(' '), interval: '1s', timeout: '60s' }),
      async ({ line, fake }) => {
        await line.store(reportOf('CRITICAL'));
        const service = await line.another({ mode: 'follow' });
        await until(async () => {
          await line.clock.advance(1_000);
          return fake.batches.length >= 3;
        });
        await service.stop();
      },
    );
  } finally {
    hanging.close();
  }
});

test('of two processes one posts; the other takes over within 90 seconds of its death, and at once when it stops', () =>
  withAlerts(as, async ({ line, fake, report }) => {
    await report('CRITICAL');
    const holder = '00000000-0000-4000-8000-000000000001';
    const until = new Date(line.clock.now().getTime() + 60_000).toISOString();
    await line.database.query('UPDATE ccx.notification_targets SET lease_token = $1, lease_until = $2::timestamp', [
      holder,
      until,
    ]);
    fake.taken();
    await line.run();
    assert.equal(fake.taken().length, 0, 'another posts');
    await line.clock.advance(61_000);
    await line.run();
    assert.equal(fake.taken().length, 1);
    await line.run();
    assert.equal(fake.taken().length, 1, 'it ended its lease when it stopped');
  }));

test('what it silences is read back, shown while it lasts, and forgotten', () =>
  withAlerts(as, async ({ line, fake, report, explained }) => {
    await report('CRITICAL', 'IMPORTANT');
    const endsAt = new Date(line.clock.now().getTime() + 2 * dayMs).toISOString();
    fake.silences = [{ id: 's1', endsAt, comment: 'we\nknow', errorKey: 'CRITICAL' }];
    await line.run();
    const text = await explained();
    assert.equal(text.match(/silenced in Alertmanager until 2026-\S+ \S+ UTC by ada: we know/g)?.length, 1);
    assert.match(text, /CRITICAL {2}\S+\n {4}alert-active: /);
    assert.match(text, /next possible at the next interval/);
    assert.match(text, /notified {6}CRITICAL/, 'in the history');
    fake.silences = [];
    await line.run();
    assert.doesNotMatch(await explained(), /silenced in Alertmanager/);
  }));

test('the auditor finds nothing, and the metrics say how many are active', () =>
  withAlerts(as, async ({ line, report }) => {
    await report('CRITICAL', 'IMPORTANT');
    await report('CRITICAL');
    const result = await auditOnce(line.database, {
      ...{ clock: line.clock, nowMicros: line.clock.nowMicros(), overdueMs: hourMs, retryWindowMs: dayMs },
      ...{ msMax: 60_000, findingsMax: 10 },
    });
    assert.deepEqual(result.findings, []);
    const telemetry = createSilentTelemetry();
    const events = createAlertEvents(telemetry, line.clock);
    events.alertsSettled('alerts', { active: 2, began: 2, ended: 0 });
    assert.match(await telemetry.registry.metrics(), /ccx_notification_alerts\{target="alerts",state="active"\} 2/);
  }));

test('a fleet is posted in batches of 500, each once a round', () =>
  withAlerts(as, async ({ line, fake, shown }) => {
    const issues = 2_400;
    await fillWithIssues(line.database, issues);
    await line.run();
    assert.deepEqual(
      fake.batches.map((batch) => batch.length),
      [500, 500, 500, 500, 400],
    );
    assert.equal(shown().length, issues);
  }));
