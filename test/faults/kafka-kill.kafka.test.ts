/**
 * The guarantees on a real Kafka: the process dies at lines of `docs/guarantees.md`, a member dies in a rebalance,
 * leaders move under load (a lone broker dies in `all-at-once.engines.test.ts`). Each time uploads go on, and when all is quiet every promise is checked as on the embedded
 * bus. Of the kill points a seeded tenth is tried (`CCX_TEST_SEED` gives the same one again); `CCX_TEST_KILL_POINTS=all` tries every one.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { KafkaCluster as TestCluster } from '../../scripts/kafka/start-kafka.ts';
import { TOPIC_NOTIFICATIONS, TOPIC_OCP_RESULTS, TOPIC_UPLOAD_ANNOUNCE } from '../../src/contracts/topics.ts';
import { KafkaCluster } from '../../src/platform/bus/kafka/cluster.ts';
import { busSettingNames, plaintext } from '../../src/platform/bus/kafka/kafka-security.ts';
import { createSystemClock } from '../../src/platform/clock/clock.ts';
import { readProcessInput } from '../../src/platform/config/process-input.ts';
import type { CcxProcess } from '../support/ccx-process.ts';
import { startTestKafka } from '../support/kafka.ts';
import { createRoles, type ProcessName, type SeparateRoles } from '../support/separate-roles.ts';
import { until } from '../support/until.ts';
import { killPoints } from './kill-points.ts';
import { createChance } from './seeded.ts';

const clock = createSystemClock();
const { env } = readProcessInput();
const seed = env['CCX_TEST_SEED'] ?? clock.uuid().slice(0, 8);
const share = env['CCX_TEST_KILL_POINTS'] === 'all' ? 1 : 0.1;
const chance = createChance(`${seed} kafka`);
const chosen = chance
  .shuffle(killPoints)
  .slice(0, Math.ceil(killPoints.length * share))
  .map(({ event }) => `${event}:${1 + chance.below(2)}`);

/** Only a failing test waits so long. */
const quietMsMax = 90_000;
const deathMsMax = 40_000;
const uploadsAtOnce = 3;
const uploadEveryMs = 250;
const uploadsMax = 20;

describe(`one broker (CCX_TEST_SEED=${seed})`, () => {
  let cluster: TestCluster;
  before(async () => {
    cluster = await startTestKafka();
  });
  after(() => cluster.stop());

  test(`all-in-one on Kafka, killed at ${chosen.join(', ')}: nothing lost, nothing twice`, () =>
    withRoles({ brokers: cluster.addresses, allInOne: true }, async (roles) => {
      for (const killAt of chosen) {
        const process = roles.launch('all-in-one', { killAt });
        await process.waitForOutput(/uploads +http/, deathMsMax).catch(() => undefined);
        await dies(process, roles);
      }
      await roles.start('all-in-one');
      await roles.uploadAgain();
      await endsWell(roles);
    }));

  test('G1, G5: a member of each group is killed in the middle of a rebalance: the others take over, nothing is lost', () =>
    withRoles({ brokers: cluster.addresses }, async (roles) => {
      await startRoles(roles);
      // They join, partitions move to them, and they die with the first record of which the effect is not acknowledged.
      for (const [name, killAt] of [
        ['data-pipeline', 'data-pipeline/announcement-accepted:1'],
        ['writer', 'writer/report-stored:1'],
      ] as const) {
        await dies(roles.launch(name, { killAt }), roles);
      }
      await endsWell(roles);
    }));
});

describe('three brokers', () => {
  let cluster: TestCluster;
  before(async () => {
    cluster = await startTestKafka({ brokers: 3 });
  });
  after(() => cluster.stop());

  test('F11: leaders of announcements, reports and notifications end under load, in good order and by SIGKILL: nothing lost, no second id', () =>
    withRoles({ brokers: cluster.addresses }, async (roles) => {
      await startRoles(roles);
      for (const [topic, signal] of [
        [TOPIC_UPLOAD_ANNOUNCE, 'SIGTERM'],
        [TOPIC_OCP_RESULTS, 'SIGKILL'],
        [TOPIC_NOTIFICATIONS, 'SIGKILL'],
      ] as const) {
        const leader = await leaderOf(cluster, topic);
        const change = async () => {
          await cluster.stopBroker(leader, signal);
          await until(async () => (await leaderOf(cluster, topic)) !== leader);
        };
        await Promise.all([uploadSome(roles), change()]);
        await cluster.startBroker(leader);
      }
      await endsWell(roles);
    }));
});

async function withRoles(
  options: { readonly brokers: readonly string[]; readonly allInOne?: boolean },
  run: (roles: SeparateRoles) => Promise<void>,
): Promise<void> {
  const roles = await createRoles({ ...options, seed });
  try {
    await run(roles);
  } finally {
    await roles.remove();
  }
}

async function startRoles(roles: SeparateRoles): Promise<void> {
  // The writer first: it brings the schema up that the notifier demands.
  await roles.start('writer');
  const others: readonly ProcessName[] = ['data-pipeline', 'ingress', 'notifier', 'tracker'];
  await Promise.all(others.map((name) => roles.start(name)));
}

async function uploadSome(roles: SeparateRoles): Promise<void> {
  for (let count = 0; count < uploadsMax / 2; count += 1) {
    assert.ok(await roles.upload(), 'accepted');
    await clock.sleep(uploadEveryMs);
  }
}

/** Uploads, some at once and then one by one, until the process was killed where it is to be. */
async function dies(process: CcxProcess, roles: SeparateRoles): Promise<void> {
  const isDead = () => process.child.exitCode !== null || process.child.signalCode !== null;
  if (!isDead()) await Promise.all(Array.from({ length: uploadsAtOnce }, () => roles.upload()));
  for (let count = uploadsAtOnce; count < uploadsMax && !isDead(); count += 1) {
    await roles.upload();
    await clock.sleep(uploadEveryMs);
  }
  const { signal } = await process.exited(deathMsMax);
  assert.equal(signal, 'SIGKILL', `it was killed: ${process.stderr()}`);
}

/** Everything comes to its end, every promise was kept, every process stops cleanly, and all of that stays so. */
async function endsWell(roles: SeparateRoles): Promise<void> {
  assert.deepEqual(await roles.complaints(quietMsMax), []);
  await roles.stopRoles();
  assert.deepEqual(await roles.complaints(0), []);
}

/** Index of the broker that leads the topic's first partition. */
async function leaderOf({ addresses }: TestCluster, topic: string): Promise<number> {
  const cluster = new KafkaCluster({
    ...{ brokers: addresses, clientId: 'test', security: plaintext, settingNames: busSettingNames, clock },
  });
  try {
    for (;;) {
      cluster.forgetTopic(topic);
      const { partitions } = await cluster.topic(topic);
      const leader = partitions[0]?.leader ?? -1;
      if (leader > 0) return leader - 1;
      await clock.sleep(100);
    }
  } finally {
    await cluster.close();
  }
}
