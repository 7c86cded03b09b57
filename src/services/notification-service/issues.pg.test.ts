/** `ccx.clusters`, `ccx.issues` and `ccx.issue_events`: what reports say is written once per report, whatever the targets, and nothing else is. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  dayMs,
  failure,
  hourMs,
  passPauses,
  policiesOf,
  reportOf,
  type Timeline,
  testCluster,
  testOrg,
  withTimeline,
} from '../../../test/support/notification-timeline.ts';
import { createTestDatabase } from '../../../test/support/postgres.ts';
import { migrateCcx } from '../../platform/database/ccx-migrations.ts';
import { retireCluster } from '../../platform/records/clusters.ts';
import { createSilentTelemetry } from '../../platform/telemetry/telemetry.ts';

const both = { targets: ['notification-backend', 'service-log'] } as const;
const module = 'ccx_rules_ocp.external.rules.test_rule';

interface IssueRow {
  readonly key: string;
  readonly state: string;
  readonly risk: number | null;
  readonly first: string;
  readonly appeared: string;
  readonly seen: string;
  readonly missed: number;
}

async function issues({ database }: Pick<Timeline, 'database'>): Promise<IssueRow[]> {
  const { rows } = await database.query<IssueRow>(
    `SELECT i.error_key AS key, i.state, i.total_risk AS risk, i.first_seen_at AS first, i.appeared_at AS appeared,
            coalesce(i.last_seen_at, c.issues_report_at) AS seen, i.missed
       FROM ccx.issues AS i JOIN ccx.clusters AS c USING (org_id, cluster) ORDER BY i.cluster, i.error_key`,
  );
  return rows;
}

/** `CRITICAL appeared`, in order; a notification with its target. */
async function events({ database }: Pick<Timeline, 'database'>): Promise<string[]> {
  const { rows } = await database.query<{ text: string }>(
    `SELECT concat_ws(' ', error_key, event, detail, event_type_id) AS text FROM ccx.issue_events
      ORDER BY at, array_position(ARRAY['appeared', 'gone', 'resolved', 'notified'], event), error_key, event_type_id`,
  );
  return rows.map(({ text }) => text);
}

async function clusters({ database }: Pick<Timeline, 'database'>) {
  const { rows } = await database.query<{ org: number; compared: string; last: string; counts: string; state: string }>(
    `SELECT org_id AS org, issues_report_at AS compared, last_report_at AS last, concat_ws(' ', low, moderate, important, critical) AS counts,
            state FROM ccx.clusters ORDER BY org_id, cluster`,
  );
  return rows;
}

/** Changes with every write of a row. */
async function versions({ database }: Timeline, table: string): Promise<string> {
  const { rows } = await database.query<{ versions: string }>(
    `SELECT string_agg(ctid || '/' || xmin, ' ' ORDER BY ctid) AS versions FROM ${table}`,
  );
  return rows[0]!.versions;
}

/** Answers the report's time as the database writes it. */
async function store(line: Timeline, ...report: Parameters<Timeline['store']>): Promise<string> {
  return (await line.store(...report)).replace(/\.?0+$/, '');
}

const lines = (rows: readonly IssueRow[]) => rows.map(({ key, state, missed }) => `${key} ${state} ${missed}`);

test('an issue appears, is gone with the first report without it, resolved with the second, and appears again', () =>
  withTimeline(both, async (line) => {
    const step = async (...keys: string[]) => {
      const at = await store(line, reportOf(...keys));
      await line.run();
      await line.clock.advance(hourMs);
      return at;
    };
    const first = await step('CRITICAL', 'MODERATE');
    assert.deepEqual(await issues(line), [
      { key: 'CRITICAL', state: 'open', risk: 4, first, appeared: first, seen: first, missed: 0 },
      { key: 'MODERATE', state: 'open', risk: 2, first, appeared: first, seen: first, missed: 0 },
    ]);
    assert.deepEqual(await clusters(line), [
      { org: testOrg, compared: first, last: first, counts: '0 1 0 1', state: 'reporting' },
    ]);
    const second = await step('MODERATE');
    assert.deepEqual(lines(await issues(line)), ['CRITICAL gone 1', 'MODERATE open 0']);
    assert.deepEqual(
      (await issues(line)).map(({ seen }) => seen),
      [first, second],
    );
    assert.equal((await clusters(line))[0]?.counts, '0 1 0 0');
    await step('MODERATE');
    assert.deepEqual(lines(await issues(line)), ['CRITICAL resolved 2', 'MODERATE open 0']);
    await step('MODERATE');
    const again = await step('CRITICAL', 'MODERATE');
    const [critical] = await issues(line);
    assert.deepEqual([critical?.state, critical?.first, critical?.appeared], ['open', first, again]);
    assert.deepEqual(
      (await events(line)).filter((event) => !event.includes('notified')),
      ['CRITICAL appeared', 'MODERATE appeared', 'CRITICAL gone', 'CRITICAL resolved', 'CRITICAL appeared recurred'],
    );
  }));

test('back before it was resolved it is open again, and reports that were missed before do not count any more', () =>
  withTimeline({ settings: { issues: { resolvedAfter: 3, staleAfterMs: 7 * dayMs } } }, async (line) => {
    for (const keys of [['CRITICAL'], [], [], ['CRITICAL'], [], [], []]) {
      await store(line, reportOf(...keys));
      await line.run();
      await line.clock.advance(hourMs);
    }
    assert.deepEqual(
      (await events(line)).filter((event) => !event.includes('notified')),
      ['CRITICAL appeared', 'CRITICAL gone', 'CRITICAL appeared back', 'CRITICAL gone', 'CRITICAL resolved'],
    );
  }));

test('what is filtered, disabled or of a cluster that is left out is an issue all the same', () => {
  const blocked = { allowOnly: false, allowed: new Set<string>(), block: true, blocked: new Set(['left-out']) };
  return withTimeline({ settings: { clusters: blocked, policies: policiesOf() } }, async (line) => {
    line.disable([[{ scope: testCluster, rule: 'test_rule', errorKey: 'CRITICAL' }], []]);
    await store(line, reportOf('CRITICAL', 'LOW', 'NOBODY_KNOWS_IT'));
    await store(line, reportOf('MODERATE'), { cluster: 'left-out' });
    await line.run();
    assert.deepEqual(
      (await issues(line)).map(({ key, state, risk }) => [key, state, risk]),
      [
        ['CRITICAL', 'open', 4],
        ['LOW', 'open', 1],
        ['NOBODY_KNOWS_IT', 'open', null],
        ['MODERATE', 'open', 2],
      ],
    );
    assert.deepEqual(
      (await clusters(line)).map(({ counts }) => counts),
      ['1 0 0 1', '0 1 0 0'],
    );
  });
});

test('a report with the issues of the one before writes the row of its cluster, and a look for another reason nothing', () =>
  withTimeline(both, async (line) => {
    await store(line, reportOf('CRITICAL', 'MODERATE'));
    await line.run();
    const told = await events(line);
    await line.clock.advance(hourMs);
    const before = await versions(line, 'ccx.issues');
    const at = await store(line, reportOf('CRITICAL', 'MODERATE'));
    await line.run();
    assert.equal((await clusters(line))[0]?.compared, at);
    assert.equal(await versions(line, 'ccx.issues'), before);
    const cluster = await versions(line, 'ccx.clusters');
    await line.clock.advance(2 * dayMs);
    await line.run();
    assert.deepEqual(line.kafka.told(), ['CRITICAL', 'CRITICAL', 'MODERATE', 'MODERATE'], 'the cooldown was over');
    assert.equal(await versions(line, 'ccx.clusters'), cluster);
    assert.deepEqual((await events(line)).slice(0, told.length), told);
    assert.equal((await events(line)).length, told.length + 4);
  }));

test('each issue of a delivered message has an event with its target and message, and none before it is delivered', () =>
  withTimeline(both, async (line) => {
    line.kafka.answer = () => ({ kind: 'retry', error: failure(), afterMs: 0 });
    await store(line, reportOf('CRITICAL', 'MODERATE'));
    await line.run();
    const notified = async () => (await events(line)).filter((event) => event.includes('notified'));
    assert.deepEqual(await notified(), ['CRITICAL notified 2', 'MODERATE notified 2']);
    line.kafka.answer = () => ({ kind: 'delivered', detail: '' });
    await line.clock.advance(hourMs);
    await line.run();
    assert.deepEqual((await notified()).slice(2), ['CRITICAL notified 1', 'MODERATE notified 1']);
    const { rows } = await line.database.query<{ count: number }>(
      `SELECT count(DISTINCT e.notification_id)::int AS count FROM ccx.issue_events AS e
         JOIN ccx.notification_outbox AS o ON o.id = e.notification_id AND o.event_type_id = e.event_type_id AND o.state = 'delivered'`,
    );
    assert.equal(rows[0]?.count, 3, 'one message to the backend, two to Service Log');
  }));

test('two processes that look at one report at once write its events once', () =>
  withTimeline({}, async (line) => {
    const services = [await line.another(), await line.another()];
    for (const keys of [['CRITICAL', 'LOW'], ['LOW'], [], ['CRITICAL']]) {
      for (let number = 0; number < 20; number += 1) await store(line, reportOf(...keys), { cluster: `c-${number}` });
      await Promise.all(services.map((service) => service.runOnce()));
      await line.clock.advance(hourMs);
    }
    const counted = Map.groupBy(await events(line), (event) => event);
    assert.deepEqual(
      Object.fromEntries(
        [...counted].filter(([event]) => !event.includes('notified')).map(([event, all]) => [event, all.length]),
      ),
      {
        ...{ 'CRITICAL appeared': 20, 'LOW appeared': 20, 'CRITICAL gone': 20, 'CRITICAL resolved': 20 },
        ...{ 'LOW gone': 20, 'LOW resolved': 20, 'CRITICAL appeared recurred': 20 },
      },
    );
  }));

test('a commit whose answer was lost is done again without a second event', () =>
  withTimeline({}, async (line) => {
    await store(line, reportOf('CRITICAL'));
    line.faults.commitsLost = 1;
    await passPauses(line, line.run());
    assert.equal((await events(line)).filter((event) => event === 'CRITICAL appeared').length, 1);
  }));

test('a report over which the rule did not run counts neither way, and one whose catalogue lost the rule closes its issues', () =>
  withTimeline({}, async (line) => {
    const report = async (
      keys: readonly string[],
      facts?: { readonly broken?: boolean; readonly rules?: readonly string[] },
    ) => {
      await line.clock.advance(hourMs);
      const at = await store(line, reportOf(...keys));
      const version = facts?.rules === undefined ? null : `v-${facts.rules.join()}`;
      await line.database.query(
        `INSERT INTO ccx.report_facts (org_id, cluster, updated_at, request_id, last_checked, catalogue_version, catalogue_rules_sha256, did_not_run)
         VALUES ($1, $2, $3::timestamp, '', $3::timestamp, $4::text, sha256(convert_to($4::text, 'UTF8')), $5)`,
        [testOrg, testCluster, at, version, facts?.broken === true ? { [module]: { reason: 'RULE_FAILED' } } : null],
      );
      if (version !== null) {
        await line.database.query(
          `INSERT INTO ccx.catalogues (version, rules_sha256, rules) VALUES ($1, sha256(convert_to($1, 'UTF8')), $2)`,
          [version, facts?.rules],
        );
      }
      await line.run();
      return at;
    };
    const first = await report(['CRITICAL', 'LOW']);
    await report([], { broken: true });
    await report(['LOW'], { broken: true });
    assert.deepEqual(lines(await issues(line)), ['CRITICAL open 0', 'LOW open 0']);
    assert.equal((await issues(line))[0]?.seen, first);
    assert.equal((await clusters(line))[0]?.counts, '1 0 0 1', 'it is open still');
    await report(['LOW']);
    await report([], { broken: true });
    await report([]);
    assert.deepEqual(lines(await issues(line)), ['CRITICAL resolved 2', 'LOW gone 1']);
    await report([], { rules: ['another.rule'] });
    assert.deepEqual(lines(await issues(line)), ['CRITICAL resolved 2', 'LOW rule-removed 1']);
    assert.deepEqual((await events(line)).at(-1), 'LOW rule-removed');
  }));

test('a report that cannot be read says nothing, and leaves the next one to compare', () =>
  withTimeline({}, async (line) => {
    const first = await store(line, reportOf('CRITICAL'));
    await line.run();
    await line.clock.advance(hourMs);
    await store(line, '{"reports": 7}');
    await line.run();
    assert.deepEqual(
      (await clusters(line)).map(({ compared, counts }) => [compared, counts]),
      [[first, '0 0 0 1']],
    );
    await line.clock.advance(hourMs);
    await store(line, reportOf());
    await line.run();
    assert.deepEqual(lines(await issues(line)), ['CRITICAL gone 1']);
    assert.equal((await issues(line))[0]?.seen, first);
  }));

test('a risk that the content changed is known with the next report, and nothing has happened', () =>
  withTimeline({}, async (line) => {
    await store(line, reportOf('CRITICAL'));
    await line.run();
    line.setRisks({ CRITICAL: { risk: 1 } });
    await line.clock.advance(hourMs);
    await store(line, reportOf('CRITICAL'));
    await line.run();
    assert.deepEqual([(await issues(line))[0]?.risk, (await clusters(line))[0]?.counts], [1, '1 0 0 0']);
    assert.deepEqual(
      (await events(line)).filter((event) => !event.includes('notified')),
      ['CRITICAL appeared'],
    );
  }));

test('a cluster that stops reporting is stale, once, its issues stay, and its next report brings it back', () =>
  withTimeline({}, async (line) => {
    await store(line, reportOf('CRITICAL'));
    await store(line, reportOf('LOW'), { cluster: 'talks-nonsense' });
    await line.run();
    await line.clock.advance(6 * dayMs);
    await store(line, '[]', { cluster: 'talks-nonsense' });
    await line.run();
    const states = async () => (await clusters(line)).map(({ state }) => state);
    assert.deepEqual(await states(), ['reporting', 'reporting']);
    const { telemetry, named } = listening();
    const service = await line.another({}, telemetry);
    await line.clock.advance(dayMs + 1);
    await service.runOnce();
    await service.runOnce();
    assert.deepEqual(await states(), ['stale', 'reporting']);
    assert.deepEqual(lines(await issues(line)), ['CRITICAL open 0', 'LOW open 0']);
    assert.equal((await events(line)).filter((event) => event === 'stale').length, 1);
    assert.deepEqual(named, [testCluster]);
    const counted = await telemetry.registry.getSingleMetric('ccx_notification_issue_events_total')!.get();
    assert.deepEqual(
      counted.values.map(({ labels, value }) => [labels['event'], value]),
      [['stale', 1]],
    );
    await line.clock.advance(hourMs);
    await store(line, reportOf('CRITICAL'));
    await line.run();
    assert.deepEqual(await states(), ['reporting', 'reporting']);
    assert.deepEqual(
      (await events(line)).filter((event) => event.startsWith('CRITICAL') && !event.includes('notified')),
      ['CRITICAL appeared'],
    );
  }));

/** Clusters that the log names as stale. */
function listening() {
  const telemetry = createSilentTelemetry();
  const named: string[] = [];
  const warn = (fields: { readonly cluster?: string }, text: string) => {
    if (text.includes('stopped reporting')) named.push(fields.cluster ?? text);
  };
  const log = { ...telemetry.log, warn } as unknown as typeof telemetry.log;
  return { telemetry: { ...telemetry, log }, named };
}

const byWhom = { actor: 'ada', origin: 'test' };
const retire = (line: Timeline) =>
  retireCluster(line.database, { cluster: testCluster, nowMicros: line.clock.nowMicros() }, byWhom);

test('a retired cluster is told to nobody, neither as resolved nor when its cooldown ends, until its next report', () =>
  withTimeline(both, async (line) => {
    await store(line, reportOf('CRITICAL', 'LOW'));
    await line.run();
    line.kafka.told();
    await line.clock.advance(hourMs);
    assert.equal(await retire(line), 2);
    await line.run();
    assert.deepEqual([...new Set((await line.ledger()).map(({ reason }) => reason))], ['cluster-retired']);
    await line.clock.advance(2 * dayMs);
    await line.run();
    assert.deepEqual(line.kafka.told(), []);
    assert.deepEqual(
      (await clusters(line)).map(({ counts, state }) => [counts, state]),
      [['0 0 0 0', 'retired']],
    );
    assert.deepEqual(lines(await issues(line)), ['CRITICAL cluster-retired 0', 'LOW cluster-retired 0']);

    await store(line, reportOf('CRITICAL'));
    await line.run();
    assert.deepEqual(line.kafka.told(), ['CRITICAL']);
    assert.deepEqual(
      (await clusters(line)).map(({ counts, state }) => [counts, state]),
      [['0 0 0 1', 'reporting']],
    );
    assert.deepEqual(lines(await issues(line)), ['CRITICAL open 0', 'LOW cluster-retired 0']);
    const told = (await events(line)).filter((event) => !event.includes('notified'));
    assert.deepEqual(told.slice(0, 2), ['CRITICAL appeared', 'LOW appeared']);
    assert.deepEqual(told.slice(2, 5).sort(), ['CRITICAL cluster-retired', 'LOW cluster-retired', 'cluster-retired']);
    assert.deepEqual(told.slice(5), ['CRITICAL appeared recurred']);
  }));

test('a report that was stored before its cluster was retired, and comes to be compared behind that, closes and opens nothing', () =>
  withTimeline({}, async (line) => {
    await store(line, reportOf('CRITICAL'));
    await line.run();
    await line.clock.advance(hourMs);
    await store(line, reportOf('CRITICAL', 'LOW'));
    await line.clock.advance(hourMs);
    await retire(line);
    line.kafka.told();
    await line.run();
    assert.deepEqual(line.kafka.told(), []);
    assert.deepEqual(lines(await issues(line)), ['CRITICAL cluster-retired 0']);
    assert.equal((await clusters(line))[0]?.state, 'retired');
  }));

test('what an older release knew of clusters and issues is taken over, over all targets', async () => {
  const { database, drop } = await createTestDatabase({ migrated: true, sets: ['notifier', 'trace'] });
  try {
    const [early, middle, late] = ['2026-11-20 10:00:00', '2026-11-20 12:00:00', '2026-11-20 14:00:00'];
    const names = ['both', 'reported', 'forgotten'] as const;
    for (const [cluster, at] of [
      ['both', late],
      ['both', early],
      ['reported', middle],
    ] as const) {
      await database.query(
        `INSERT INTO new_reports (org_id, account_number, cluster, report, updated_at) VALUES (1, 0, $1, '{}', $2)`,
        [cluster, at],
      );
    }
    const considered = (target: number, cluster: string, at: string) =>
      database.query(
        `INSERT INTO ccx.notification_considered (event_type_id, cluster, org_id, report_updated_at, policy_hash, outcome, version, decided_at)
         VALUES ($1, $2, 1, $3::timestamp, '', 'issues', 1, $3::timestamp)`,
        [target, cluster, at],
      );
    await considered(1, 'both', middle);
    await considered(2, 'both', late);
    await considered(1, 'forgotten', early);
    const remember = (key: string, target: number, row: Record<string, string | null>) =>
      database.query(
        `INSERT INTO ccx.notification_ledger (event_type_id, org_id, cluster, type, component, error_key, state, first_seen_at, last_seen_at,
                resolved_at, last_reason, decided_at)
         VALUES ($1, 1, 'both', 'rule', 'a.rule.report', $2, 'open', $3, $4, $5, $6, $3)`,
        [target, key, row['first'], row['seen'], row['resolved'], row['reason'] ?? 'pending'],
      );
    await remember('OPEN', 1, { first: middle, seen: middle, resolved: null });
    await remember('OPEN', 2, { first: early, seen: early, resolved: null });
    await remember('SILENT', 2, { first: early, seen: middle, resolved: null, reason: 'rule-did-not-run' });
    await remember('GONE', 1, { first: early, seen: middle, resolved: late, reason: 'resolved' });
    await remember('REMOVED', 1, { first: early, seen: early, resolved: middle, reason: 'rule-removed' });

    await migrateCcx(database, 'records');
    const { rows } = await database.query<{ cluster: string; compared: string | null; last: string; state: string }>(
      `SELECT rtrim(cluster) AS cluster, issues_report_at AS compared, last_report_at AS last, state FROM ccx.clusters ORDER BY 1`,
    );
    assert.deepEqual(rows, [
      { cluster: 'both', compared: late, last: late, state: 'reporting' },
      { cluster: 'forgotten', compared: early, last: early, state: 'reporting' },
      { cluster: 'reported', compared: null, last: middle, state: 'reporting' },
    ]);
    assert.equal(rows.length, names.length);
    assert.deepEqual(
      (await issues({ database })).map(({ key, state, first, seen }) => [key, state, first, seen]),
      [
        ['GONE', 'resolved', early, middle],
        ['OPEN', 'open', early, late],
        ['REMOVED', 'rule-removed', early, early],
        ['SILENT', 'open', early, middle],
      ],
    );
    assert.deepEqual(await events({ database }), []);
  } finally {
    await drop();
  }
});
