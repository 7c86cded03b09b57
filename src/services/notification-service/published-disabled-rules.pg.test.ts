/**
 * The twenty published black-box scenarios about disabled rules, ten for each target, in our own words: with rows in the aggregator's tables,
 * and with acknowledgements of ours in their place. Where they differ is said: an acknowledgement that ends ends the cooldown of what it
 * silenced. Source: notification-service.md 7.3, 16.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { reportOf, type Timeline, withTimeline } from '../../../test/support/notification-timeline.ts';
import type { TargetName } from '../../contracts/tables.ts';

/** Not UUIDs, as in the scenarios. */
const one = '5d5892d4-2g85-4ccf-02bg-548dfc9767aa';
const two = '7e6903e5-3h96-5ddf-13ch-659efd8878bb';

/** How a scenario disables the critical key of the rule, for cluster `one` or for organization 1. */
interface Disabling {
  disable(line: Timeline, scope: 'cluster' | 'organization'): Promise<void>;
  enable(line: Timeline): Promise<void>;
  /** What is sent when it is enabled again within the cooldown. */
  readonly withinCooldown: readonly string[];
}

const row = { rule: 'test_rule', errorKey: 'CRITICAL' };
const aggregator: Disabling = {
  disable: async (line, scope) =>
    line.disable(scope === 'cluster' ? [[{ ...row, scope: one }], []] : [[], [{ ...row, scope: '1' }]]),
  enable: async (line) => line.disable([[], []]),
  withinCooldown: [],
};
const acknowledgement: Disabling = {
  disable: async (line, scope) => {
    await line.acknowledge({ orgId: 1, cluster: scope === 'cluster' ? one : null });
  },
  enable: async (line) => {
    const { rows } = await line.database.query<{ id: string }>('SELECT id FROM ccx.acknowledgements');
    for (const { id } of rows) await line.unacknowledge(id);
  },
  withinCooldown: ['CRITICAL'],
};

type Scenario = (line: Timeline, how: Disabling, run: (expected: readonly string[]) => Promise<void>) => Promise<void>;

const rowsOfReported = async (line: Timeline) => (await line.reported()).length;
const report = (line: Timeline, cluster = one, orgId = 1) => line.store(reportOf('CRITICAL'), { cluster, orgId });
/** Long before the cooldown. */
const sentLongAgo = (line: Timeline, target: number, cluster = one) =>
  line.storeSent(reportOf('IMPORTANT'), { cluster, orgId: 1, target, hoursAgo: 36 * 365 * 24 });

const enabledInTheNextRun =
  (scope: 'cluster' | 'organization'): Scenario =>
  async (line, how, run) => {
    await report(line);
    await how.disable(line, scope);
    await run([]);
    assert.equal(await rowsOfReported(line), 1);
    await how.enable(line);
    await run(['CRITICAL']);
    assert.equal(await rowsOfReported(line), 2);
  };

const enabledWithinTheCooldown =
  (scope: 'cluster' | 'organization'): Scenario =>
  async (line, how, run) => {
    await report(line);
    await run(['CRITICAL']);
    await how.disable(line, scope);
    await run([]);
    assert.equal(await rowsOfReported(line), 2);
    await how.enable(line);
    await run(how.withinCooldown);
    assert.equal(await rowsOfReported(line), 3);
  };

const enabledAfterTheCooldown =
  (scope: 'cluster' | 'organization', target: number): Scenario =>
  async (line, how, run) => {
    await sentLongAgo(line, target);
    await report(line);
    await how.disable(line, scope);
    await run([]);
    assert.equal(await rowsOfReported(line), 2);
    await how.enable(line);
    await run(['CRITICAL']);
    assert.equal(await rowsOfReported(line), 3);
  };

const scenarios = (target: number): Readonly<Record<string, Scenario>> => ({
  'a rule disabled for a cluster is not notified there': async (line, how, run) => {
    await sentLongAgo(line, target, '5d5892d4-1f74-4ccf-91af-548dfc9767aa');
    await report(line);
    await how.disable(line, 'cluster');
    await run([]);
    assert.equal(await rowsOfReported(line), 2);
  },
  'a rule disabled for an organization is notified in none of its clusters': async (line, how, run) => {
    await report(line);
    await report(line, two);
    await how.disable(line, 'organization');
    await run([]);
    assert.equal(await rowsOfReported(line), 2);
  },
  'a rule disabled for an organization is notified in another one': async (line, how, run) => {
    await report(line);
    await report(line, two, 2);
    await how.disable(line, 'organization');
    await run(['CRITICAL']);
    assert.equal([...line.kafka.arrived, ...line.serviceLog.arrived][0]?.cluster, two);
    assert.equal(await rowsOfReported(line), 2);
  },
  'a rule enabled for a cluster is notified in the next run': enabledInTheNextRun('cluster'),
  'a rule enabled for an organization is notified in the next run': enabledInTheNextRun('organization'),
  'a rule enabled for a cluster within the cooldown': enabledWithinTheCooldown('cluster'),
  'a rule enabled for a cluster after the cooldown is notified': enabledAfterTheCooldown('cluster', target),
  'a rule enabled for an organization within the cooldown': enabledWithinTheCooldown('organization'),
  'a rule enabled for an organization after the cooldown is notified': enabledAfterTheCooldown('organization', target),
  'only the rule that is enabled is notified while another is in its cooldown': async (line, how, run) => {
    await line.store(reportOf('CRITICAL', 'IMPORTANT'), { cluster: one, orgId: 1 });
    await how.disable(line, 'cluster');
    await run(['IMPORTANT']);
    assert.equal(await rowsOfReported(line), 1);
    await how.enable(line);
    await run(['CRITICAL']);
    assert.equal(await rowsOfReported(line), 2);
  },
});

for (const [target, name] of [
  [1, 'notification-backend'],
  [2, 'service-log'],
] as [number, TargetName][]) {
  for (const [what, scenario] of Object.entries(scenarios(target))) {
    for (const [by, how] of Object.entries({ aggregator, acknowledgement })) {
      test(`${name}, ${by}: ${what}`, () =>
        withTimeline({ targets: [name] }, async (line) => {
          const { told } = name === 'service-log' ? line.serviceLog : line.kafka;
          await scenario(line, how, async (expected) => {
            await line.run();
            assert.deepEqual(told(), expected);
          });
        }));
    }
  }
}
