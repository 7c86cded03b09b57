/** What a preview says is what the next run does, and it leaves nothing behind; with other settings it says what those would do. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createChance } from '../../../test/faults/seeded.ts';
import { contentOf, defaultRisks } from '../../../test/support/notification-content.ts';
import {
  createFakeTarget,
  failure,
  hourMs,
  policiesOf,
  reportOf,
  type Timeline,
  testCluster,
  testOrg,
  testSettings,
  withTimeline,
} from '../../../test/support/notification-timeline.ts';
import { createTestDatabase, createTestRole } from '../../../test/support/postgres.ts';
import { until } from '../../../test/support/until.ts';
import type { CcxError } from '../../encoding/ccx-error.ts';
import { createManualClock } from '../../platform/clock/manual-clock.ts';
import { connectDatabase } from '../../platform/database/connect-database.ts';
import type { Database } from '../../platform/database/database.ts';
import { createSilentTelemetry } from '../../platform/telemetry/telemetry.ts';
import type { DeliveryResult, OutgoingNotification } from './ports.ts';
import type { Previewed, PreviewRequest, PreviewSummary } from './preview.ts';
import { previewNotifications } from './preview.ts';
import { formatPreviewed, formatSummary } from './print-preview.ts';

type ClusterPreview = Extract<Previewed, { readonly kind: 'cluster' }>;

async function preview(
  line: Timeline,
  request: PreviewRequest = {},
): Promise<{ readonly items: Previewed[]; readonly summary: PreviewSummary }> {
  const service = await line.another();
  const items: Previewed[] = [];
  const summary = await service.preview(request, (previewed) => void items.push(previewed));
  await service.stop();
  return { items, summary };
}

const clustersOf = (items: readonly Previewed[]) =>
  items.filter((item): item is ClusterPreview => item.kind === 'cluster');
const reasonsOf = (items: readonly Previewed[], target = 'notification-backend') =>
  Object.fromEntries(
    clustersOf(items)
      .filter((item) => item.target === target)
      .flatMap(({ issues }) => issues.map(({ errorKey, reason }) => [errorKey, reason])),
  );

/** All of both schemas. */
async function everything(database: Database): Promise<string> {
  const { rows: tables } = await database.query<{ name: string }>(
    `SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables WHERE schemaname IN ('public', 'ccx') ORDER BY 1`,
  );
  const contents: string[] = [];
  for (const { name } of tables) {
    const { rows } = await database.query<{ all: string | null }>(
      `SELECT string_agg(t::text, E'\\n' ORDER BY t::text) AS all FROM ${name} AS t`,
    );
    contents.push(`${name}\n${rows[0]!.all ?? ''}`);
  }
  return contents.join('\n');
}

/** But for what is given out anew each time. */
function bytesOf({ id, body, issues }: Pick<OutgoingNotification, 'id' | 'body' | 'issues'>): string {
  return JSON.stringify([issues, body.replaceAll(id, 'ID')]);
}

const answers: Readonly<Record<string, DeliveryResult>> = {
  delivered: { kind: 'delivered', detail: '' },
  away: { kind: 'retry', error: failure('AWAY'), afterMs: 0 },
  lost: { kind: 'unknown', error: failure('ANSWER_LOST'), afterMs: 0 },
  rejected: { kind: 'rejected', error: failure('REJECTED') },
};

/** By seed: the cap, and steps of those below that are left out. */
const walks = { one: 0, s6: 1, s11: 2 };
for (const [seed, clusterCap] of Object.entries(walks)) {
  const settings = { policies: policiesOf({ clusterCap }, { clusterCap, totalRiskThreshold: 1, sendResolved: true }) };
  test(`a run sends and decides what the preview before it said, whatever happened before; seed ${seed}, cap ${clusterCap}`, () =>
    withTimeline({ targets: ['notification-backend', 'service-log'], settings }, async (line) => {
      const chance = createChance(seed);
      const keys = Object.keys(defaultRisks);
      const clusters = [testCluster, testCluster.replace('5d', '6d')];
      const targets = [line.kafka, line.serviceLog];
      let foreign = 0;
      const acknowledged: string[] = [];
      const steps: Readonly<Record<string, () => Promise<unknown> | unknown>> = {
        report: () =>
          line.store(reportOf(...chance.shuffle(keys).slice(0, chance.below(4))), { cluster: chance.pick(clusters) }),
        time: () => line.clock.advance(chance.pick([1, 5, 30]) * hourMs),
        answer: () => {
          for (const target of targets) {
            const answer = answers[chance.pick(['delivered', 'delivered', ...Object.keys(answers)])]!;
            target.answer = () => answer;
          }
        },
        disable: () =>
          line.disable([
            chance.pick([
              [],
              [{ scope: testCluster, rule: 'ccx_rules_ocp.external.rules.test_rule', errorKey: 'CRITICAL' }],
            ]),
            [],
          ]),
        async acknowledge() {
          const hours = chance.pick([undefined, 1, 5, 30]);
          const until = hours === undefined ? null : new Date(line.clock.now().getTime() + hours * hourMs);
          const id = await line.acknowledge({
            ...{ cluster: chance.pick([...clusters, null]), errorKey: chance.pick([...keys, ...keys, null]) },
            ...{ until: until?.toISOString() ?? null, untilResolved: chance.pick([true, false]) },
          });
          acknowledged.push(id);
        },
        async enable() {
          for (const id of acknowledged.splice(0)) await line.unacknowledge(id);
        },
        risks: () => line.setRisks({ ...defaultRisks, LOW: { risk: chance.pick([1, 3]), tags: [] } }),
        removed: () => line.database.query('DELETE FROM reported WHERE event_type_id = $1', [chance.pick([1, 2])]),
        foreign: () =>
          line.storeSent(reportOf(chance.pick(keys)), {
            cluster: chance.pick(clusters),
            hoursAgo: 0.5 + foreign++ / 1_000,
          }),
        unreadable: () => line.store('{"reports": [', { cluster: chance.pick(clusters) }),
        retry: () =>
          line.database.query(
            `UPDATE ccx.notification_outbox SET retry_requested_at = now() WHERE state IN ('dead', 'unknown') AND finished_at IS NOT NULL
               AND replaced_by IS NULL`,
          ),
      };
      let compared = 0;
      const names = [...Object.keys(steps), 'report', 'report', 'enable', 'enable', 'time'];
      // A start writes the names of the targets.
      await line.another();
      for (let round = 0; round < 25; round += 1) {
        for (let count = 0; count <= chance.below(3); count += 1) await steps[chance.pick(names)]!();
        const before = await everything(line.database);
        const { items, summary } = await preview(line);
        assert.equal(await everything(line.database), before);
        for (const target of targets) target.attempts.splice(0);
        const { decisions } = await line.run();
        for (const target of targets) {
          const own = items.filter((item) => item.target === target.name);
          const expected = own
            .flatMap((item) => (item.kind === 'cluster' ? item.messages : [item]))
            .filter(({ dueAt, notSent }) => notSent === undefined && dueAt <= summary.at);
          const sent = new Map(target.attempts.map(({ notification }) => [notification.id, notification]));
          assert.deepEqual(
            [...sent.values()].map(bytesOf).sort(),
            expected.map(bytesOf).sort(),
            `round ${round}, ${target.name}`,
          );
          compared += expected.length;
        }
        // The run looks only at what is due; what it says of that is what the preview said.
        const said = summary.targets.map(({ reasons }) => reasons);
        for (const [reason, count] of Object.entries(clusterCap === 0 ? decisions : {})) {
          assert.ok(
            count <= said.reduce((sum, reasons) => sum + (reasons[reason] ?? 0), 0),
            `round ${round}, ${reason}`,
          );
        }
      }
      assert.ok(compared > 10, 'there was something to compare');
    }));
}

test('with other settings it says what those would do, and they are in force nowhere else', () =>
  withTimeline({}, async (line) => {
    await line.store(reportOf('CRITICAL', 'IMPORTANT', 'LOW'));
    await line.run();
    await line.clock.advance(2 * hourMs);
    const asItIs = await preview(line);
    assert.deepEqual(reasonsOf(asItIs.items), {
      CRITICAL: 'already-notified',
      IMPORTANT: 'already-notified',
      LOW: 'below-threshold',
    });
    const lower = { 'notification-backend': { totalRiskThreshold: 1 } };
    assert.equal(reasonsOf((await preview(line, { policies: lower })).items)['LOW'], 'new');
    const shorter = { 'notification-backend': { cooldown: '1 hour', eventFilter: 'totalRisk > 3' } };
    const { items, summary } = await preview(line, { policies: shorter });
    assert.deepEqual(reasonsOf(items), {
      CRITICAL: 'cooldown-over',
      IMPORTANT: 'below-threshold',
      LOW: 'below-threshold',
    });
    assert.deepEqual(summary.targets[0]!.reasons, { 'cooldown-over': 1, 'below-threshold': 2 });
    assert.deepEqual(summary.targets[0]!.messages, { new: 1, waiting: 0, again: 0 });
    await assert.rejects(preview(line, { policies: { 'notification-backend': { eventFilter: 'totalRisk >' } } }), {
      code: 'EVENT_FILTER_INVALID',
    });
    await assert.rejects(preview(line, { policies: { 'notification-backend': { cooldown: 'a while' } } }), {
      code: 'COOLDOWN_INVALID',
    });
    line.kafka.told();
    await line.run();
    assert.deepEqual(line.kafka.told(), []);
  }));

test('of some clusters only', () =>
  withTimeline({}, async (line) => {
    const other = testCluster.replace('5d', '6d');
    await line.store(reportOf('CRITICAL'));
    await line.store(reportOf('IMPORTANT'), { cluster: other });
    const { items, summary } = await preview(line, { clusters: [other, '00000000-0000-4000-8000-000000000000'] });
    assert.deepEqual(
      clustersOf(items).map(({ cluster }) => cluster),
      [other],
    );
    assert.equal(summary.targets[0]!.clusters, 1);
  }));

test('a service that follows says nothing again without a cooldown, a one-shot run does', () =>
  withTimeline({ settings: { policies: policiesOf({ cooldown: '0' }) } }, async (line) => {
    await line.store(reportOf('CRITICAL'));
    const service = await line.another({ mode: 'follow' });
    await until(() => service.idle());
    assert.deepEqual(line.kafka.told(), ['CRITICAL']);
    assert.deepEqual(reasonsOf((await preview(line)).items), { CRITICAL: 'cooldown-over' });
    const items: Previewed[] = [];
    await service.preview({}, (previewed) => void items.push(previewed));
    assert.deepEqual(reasonsOf(items), { CRITICAL: 'already-notified' });
  }));

test('a first run past its cap is shown with the moments at which the rest becomes due', () =>
  withTimeline({ settings: { firstRun: { messagesMax: 1, everyMs: hourMs } } }, async (line) => {
    for (const digit of ['1', '2', '3'])
      await line.store(reportOf('CRITICAL'), { cluster: digit + testCluster.slice(1) });
    const { items, summary } = await preview(line);
    const hours = clustersOf(items).flatMap(({ messages }) =>
      messages.map(({ dueAt }) => (Date.parse(`${dueAt}Z`) - Date.parse(`${summary.at}Z`)) / hourMs),
    );
    assert.deepEqual(hours, [0, 1, 2]);
  }));

test('before the service was there for the first time it says what its first run would do, and no table stays', async () => {
  const { database, drop } = await createTestDatabase({ migrated: true });
  const clock = createManualClock('2026-11-21T16:00:00Z');
  try {
    await database.query(
      'INSERT INTO new_reports (org_id, account_number, cluster, report, updated_at) VALUES ($1, 7, $2, $3, $4)',
      [...[testOrg, testCluster, reportOf('CRITICAL', 'LOW'), '2026-11-21 15:00:00']],
    );
    const before = await everything(database);
    const items: Previewed[] = [];
    const kafka = createFakeTarget('notification-backend');
    const content = { load: async () => contentOf(defaultRisks) };
    const dependencies = { database, clock, content, targets: [kafka], telemetry: createSilentTelemetry() };
    const { signal } = new AbortController();
    const summary = await previewNotifications(
      testSettings(),
      dependencies,
      { signal },
      (item) => void items.push(item),
    );
    assert.deepEqual(reasonsOf(items), { CRITICAL: 'new', LOW: 'below-threshold' });
    assert.equal(await everything(database), before);
    assert.equal(
      [...items.map(formatPreviewed), formatSummary(summary)]
        .join('\n')
        .replace(/message [\da-f-]{36}/, 'message ID')
        .replaceAll(/[\da-f]{8}-0000[\da-f-]*|00000000-[\da-f-]*/g, 'ID'),
      `notification-backend, cluster ${testCluster} of organization ${testOrg}, report of 2026-11-21 15:00:00 UTC
  notified  CRITICAL  ccx_rules_ocp.external.rules.test_rule.report, total risk 4
    new: It was not notified before.
  not notified  LOW  ccx_rules_ocp.external.rules.test_rule.report
    below-threshold: The event filter of the target does not let it pass.
  message ID, 132 bytes, from 2026-11-21 16:00:00 UTC on
    rh-message-id: ID
    {"id":"ID","timestamp":"2026-11-21T16:00:00.000Z","issues":[["CRITICAL","{\\"of\\":\\"CRITICAL\\"}"]]}

Nothing was sent and nothing was written; as it would be at 2026-11-21 16:00:00 UTC:
notification-backend: clusters 1; messages new 1, waiting 0, sent again 0
  issues: below-threshold 1, new 1`,
    );
    assert.equal(kafka.attempts.length, 0);
  } finally {
    await drop();
  }
});

test('what a pause held back, and what a dead process had claimed, is still to be sent', () =>
  withTimeline({}, async (line) => {
    line.configure({ delivery: { ...testSettings().delivery, retryWindowMs: 2 * hourMs } });
    await line.store(reportOf('CRITICAL'));
    line.kafka.answer = () => ({ kind: 'paused', error: failure('PAUSED'), afterMs: 5 * hourMs });
    await line.run();
    line.kafka.answer = () => ({ kind: 'delivered', detail: '' });
    await line.clock.advance(5 * hourMs + 1);
    const notSent = async () =>
      (await preview(line)).items.flatMap((item) => (item.kind === 'waits' ? [item.notSent] : []));
    assert.deepEqual(await notSent(), [undefined]);
    // Of the first release, which wrote down less.
    await line.database.query(
      `UPDATE ccx.notification_outbox SET state = 'claimed', lease_token = gen_random_uuid(), first_attempt_at = NULL,
              next_attempt_at = $1::timestamptz AT TIME ZONE 'UTC'`,
      [line.clock.now().toISOString()],
    );
    assert.deepEqual(await notSent(), [undefined]);
    line.kafka.told();
    await line.run();
    assert.deepEqual(line.kafka.told(), ['CRITICAL']);
  }));

test('a signal ends it behind the clusters that it is at', () =>
  withTimeline({}, async (line) => {
    line.kafka.answer = () => ({ kind: 'retry', error: failure('AWAY'), afterMs: 0 });
    const gone = testCluster.replace('5d', '6d');
    for (const cluster of [testCluster, gone]) await line.store(reportOf('CRITICAL'), { cluster });
    await line.run();
    await line.database.query('DELETE FROM new_reports WHERE cluster = $1', [gone]);
    const shown = (await preview(line)).items.map(({ kind, cluster }) => [kind, cluster]);
    assert.deepEqual(shown, [
      ['cluster', testCluster],
      ['waits', testCluster],
      ['waits', gone],
    ]);
    const stopping = new AbortController();
    const seen: string[] = [];
    const content = { load: async () => contentOf(defaultRisks) };
    const telemetry = createSilentTelemetry();
    const { database, clock, kafka } = line;
    await previewNotifications(
      testSettings(),
      { database, clock, content, targets: [kafka], telemetry },
      { signal: stopping.signal },
      ({ cluster }) => {
        seen.push(cluster);
        stopping.abort();
      },
    );
    assert.deepEqual(seen, [testCluster, testCluster]);
  }));

test('whoever may only read is told which right is missing where the service never was', async () => {
  const test = await createTestDatabase({ migrated: true });
  const role = await createTestRole(test, (user) => [`GRANT SELECT ON ALL TABLES IN SCHEMA public TO ${user}`]);
  const database = connectDatabase({ url: role.url, applicationName: 'test' });
  try {
    const content = { load: async () => contentOf(defaultRisks) };
    const clock = createManualClock('2026-11-21T16:00:00Z');
    const targets = [createFakeTarget('notification-backend')];
    const dependencies = { database, clock, content, targets, telemetry: createSilentTelemetry() };
    const { signal } = new AbortController();
    await assert.rejects(
      previewNotifications(testSettings(), dependencies, { signal }, () => undefined),
      (error: CcxError) => error.code === 'DATABASE_PERMISSION' && error.hint?.includes(role.user) === true,
    );
  } finally {
    await database.close();
    await role.remove();
    await test.drop();
  }
});
