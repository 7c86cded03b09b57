/** Reports in which a rule did not run, or from whose catalogue it was removed: what that does, and does not do, to its issues. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import {
  createTimeline,
  failure,
  hourMs,
  reportOf,
  type Timeline,
  testCluster,
  testOrg,
} from '../../../test/support/notification-timeline.ts';
import { notRunReasons } from '../../contracts/report.ts';
import { migrateCcx } from '../../platform/database/ccx-migrations.ts';
import { formatExplanation } from './format-explanation.ts';
import { readExplanation } from './store/explain.ts';

let line: Timeline;
beforeEach(async () => {
  line = await createTimeline();
  await migrateCcx(line.database, 'records');
});
afterEach(() => line.end());

const module = 'ccx_rules_ocp.external.rules.test_rule';

interface Facts {
  readonly didNotRun?: Readonly<Record<string, unknown>>;
  readonly skipped?: Readonly<Record<string, unknown>>;
  /** Rules of the catalogue that made it. */
  readonly catalogue?: readonly string[];
}

/** A report with facts, as our writer stores it, and a run. */
async function report(keys: readonly string[], facts?: Facts): Promise<void> {
  const at = await line.store(reportOf(...keys));
  if (facts !== undefined) {
    const { catalogue } = facts;
    const version = catalogue === undefined ? null : `v-${catalogue.join()}`;
    await line.database.query(
      `INSERT INTO ccx.report_facts (org_id, cluster, updated_at, request_id, last_checked, catalogue_version, catalogue_rules_sha256, did_not_run, skipped)
       VALUES ($1, $2, $3::timestamp, '', $3::timestamp, $4::text, sha256(convert_to($4::text, 'UTF8')), $5, $6)`,
      [
        ...[testOrg, testCluster, at, version],
        ...[facts.didNotRun, facts.skipped].map((rules) => (rules === undefined ? null : JSON.stringify(rules))),
      ],
    );
    if (version !== null) {
      await line.database.query(
        `INSERT INTO ccx.catalogues (version, rules_sha256, rules) VALUES ($1, sha256(convert_to($1, 'UTF8')), $2) ON CONFLICT DO NOTHING`,
        [version, catalogue],
      );
    }
  }
  await line.run();
}

const brokenWith = (reason: string) => ({ didNotRun: { [module]: { reason, details: 'it threw' } } });
const issue = async () => {
  const { rows } = await line.database.query<{ state: string; reason: string; closed: boolean; seen: string }>(
    `SELECT state, last_reason AS reason, resolved_at IS NOT NULL AS closed, last_seen_at AS seen FROM ccx.notification_ledger
      WHERE error_key = 'CRITICAL'`,
  );
  return rows[0]!;
};

for (const reason of notRunReasons) {
  test(`an issue stays what it was while reports say ${reason}, and has not recurred when it is there again`, async () => {
    await report(['CRITICAL'], {});
    const { seen } = await issue();
    assert.deepEqual(line.kafka.told(), ['CRITICAL']);
    for (let count = 0; count < 3; count += 1) {
      await line.clock.advance(10 * hourMs);
      await report([], brokenWith(reason));
      const now = await issue();
      assert.deepEqual([now.state, now.reason, now.closed], ['notified', 'rule-did-not-run', false]);
      assert.equal(now.seen, seen, 'it was not seen in a report that says nothing of it');
    }
    await report(['CRITICAL'], {});
    assert.deepEqual([line.kafka.told(), (await issue()).reason], [['CRITICAL'], 'cooldown-over']);
    await report([], brokenWith(reason));
    await report([], {});
    assert.deepEqual([(await issue()).reason, (await issue()).closed], ['gone', true]);
    assert.deepEqual(line.kafka.told(), []);
  });
}

test('explain says that the rule did not run, and why', async () => {
  await report(['CRITICAL'], {});
  const before = await readExplanation(line.database, testCluster);
  await report([], brokenWith('RULE_FAILED'));
  const explanation = await readExplanation(line.database, testCluster);
  assert.equal(explanation.issues[0]!.last_seen_at, before.targets[0]!.report_updated_at);
  const text = formatExplanation(testCluster, explanation);
  assert.match(text, /rule-did-not-run: Its rule did not run over the newest report.*\(RULE_FAILED, it threw\)/);
  assert.match(text, /next possible when its rule has run again/);
});

test('what a rule lacked, what another pipeline says and what nobody says closes an issue as in the reference', async () => {
  const reports: readonly (Facts | undefined)[] = [
    { skipped: { [module]: { reason: 'MISSING_REQUIREMENTS', details: '' } } },
    { skipped: { [module]: { reason: 'SOMETHING_ELSE', details: '' } } },
    { didNotRun: { [`${module}_of_another`]: { reason: 'RULE_FAILED', details: '' } } },
    {},
    undefined,
  ];
  for (const facts of reports) {
    await report(['CRITICAL'], {});
    await report([], facts);
    assert.deepEqual([(await issue()).reason, (await issue()).closed], ['gone', true], JSON.stringify(facts));
  }
});

test('what a broken rule found all the same is there', async () => {
  await report(['CRITICAL'], brokenWith('INPUT_BROKEN'));
  assert.deepEqual([line.kafka.told(), (await issue()).reason], [['CRITICAL'], 'new']);
});

test('a rule that the report’s catalogue does not have closes its issues as removed, and nothing else does', async () => {
  await report(['CRITICAL'], { catalogue: [module, 'other'] });
  await report([], { catalogue: ['other'] });
  assert.deepEqual([(await issue()).reason, (await issue()).closed], ['rule-removed', true]);
  await report(['CRITICAL'], { catalogue: [module, 'other'] });
  assert.deepEqual([line.kafka.told(), (await issue()).reason], [['CRITICAL'], 'already-notified']);
  await report([], { catalogue: [module] });
  assert.equal((await issue()).reason, 'gone', 'its rule ran and did not find it');
  await report(['CRITICAL'], {});
  await report([], { ...brokenWith('RULE_LEFT_OUT'), catalogue: ['other'] });
  assert.equal((await issue()).reason, 'rule-did-not-run');
  await line.database.query('DELETE FROM ccx.catalogues');
  await line.store(reportOf());
  await line.run();
  assert.equal((await issue()).reason, 'gone', 'of a catalogue that is not known nothing is removed');
});

test('many clusters are decided with one look at the catalogues, and with none where no issue is lost', async () => {
  const statements = async () => {
    const { count } = line.statements;
    await line.run();
    return line.statements.count - count;
  };
  for (const cluster of ['a', 'b', 'c']) await line.store(reportOf('CRITICAL'), { cluster });
  await line.run();
  for (const cluster of ['a', 'b', 'c']) await line.store(reportOf('CRITICAL'), { cluster });
  const withoutLoss = await statements();
  for (const cluster of ['a', 'b', 'c']) {
    const at = await line.store(reportOf(), { cluster });
    await line.database.query(
      `INSERT INTO ccx.report_facts (org_id, cluster, updated_at, request_id, last_checked, catalogue_version, catalogue_rules_sha256)
       VALUES ($1, $2, $3::timestamp, '', $3::timestamp, 'v', '')`,
      [testOrg, cluster, at],
    );
  }
  await line.database.query(`INSERT INTO ccx.catalogues VALUES ('v', '', '{other}')`);
  // For the ledger and for the issues, each one for the catalogues and one for the rows that changed; and one for the issues' events.
  assert.ok((await statements()) <= withoutLoss + 5);
  assert.deepEqual([...new Set((await line.ledger()).map(({ reason }) => reason))], ['rule-removed']);
});

test('a message that waits goes out as it was composed when its rule did not run over the newest report', async () => {
  line.kafka.answer = () => ({ kind: 'retry', error: failure(), afterMs: 0 });
  await report(['CRITICAL'], {});
  line.kafka.answer = () => ({ kind: 'delivered', detail: '' });
  await line.clock.advance(hourMs);
  await report([], brokenWith('RULE_FAILED'));
  assert.deepEqual([line.kafka.told(), (await issue()).state], [['CRITICAL'], 'notified']);
});

test('and not when its rule was removed', async () => {
  line.kafka.answer = () => ({ kind: 'retry', error: failure(), afterMs: 0 });
  await report(['CRITICAL'], {});
  line.kafka.answer = () => ({ kind: 'delivered', detail: '' });
  await line.clock.advance(hourMs);
  await report([], { catalogue: ['other'] });
  assert.deepEqual([line.kafka.told(), (await issue()).reason], [[], 'rule-removed']);
});
