/**
 * All at once: every role a process of its own on a real Kafka, the system's PostgreSQL and a real S3 server. The clusters of a small fleet
 * upload, and upload again, as fast as they are answered, while every role and every engine dies by SIGKILL and comes back, one after the
 * other. In the end what is there is compared with what was sent, by content: each archive is one report, each issue one notification.
 *
 * CCX_TEST_ARCHIVES=1000 is `npm run nightly`; CCX_TEST_SEED gives the same clusters and the same order of deaths again.
 */
import assert from 'node:assert/strict';
import { buffer } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import type { KafkaCluster } from '../../scripts/kafka/start-kafka.ts';
import { createSystemClock } from '../../src/platform/clock/clock.ts';
import { readProcessInput } from '../../src/platform/config/process-input.ts';
import { connectDatabase } from '../../src/platform/database/connect-database.ts';
import type { Gathering } from '../faults/operator.ts';
import { createChance } from '../faults/seeded.ts';
import { startTestKafka } from '../support/kafka.ts';
import { testBucket, testS3 } from '../support/s3.ts';
import {
  createRoles,
  type RoleName,
  type RunningRole,
  roleNames,
  type SeparateRoles,
} from '../support/separate-roles.ts';
import { type SystemPostgres, serverVersion, startSystemPostgres } from '../support/system-postgres.ts';
import { until } from '../support/until.ts';

const clock = createSystemClock();
const { env } = readProcessInput();
const seed = env['CCX_TEST_SEED'] ?? clock.uuid().slice(0, 8);
const archives = Number(env['CCX_TEST_ARCHIVES'] ?? 200);
const archivesPerCluster = 5;
const clusters = archives / archivesPerCluster;

const uploadsAtOnce = 8;
const retryMs = 100;
const pollMs = 20;
/** Only a failing test waits so long. */
const quietMsMax = 300_000;
const deathMsMax = 60_000;
const returnMsMax = 120_000;

type Engine = 'Kafka' | 'PostgreSQL' | 'S3';
type Victim = Engine | RoleName;

/**
 * The notifier and what it writes to first: what they leave claimed waits for its lease, which ends while the others die. Then the others, in
 * an order of the seed's.
 */
const victims: readonly Victim[] = [
  ...(['notifier', 'PostgreSQL', 'Kafka'] as const),
  ...createChance(`${seed} victims`).shuffle<Victim>(['S3', 'ingress', 'data-pipeline', 'writer', 'tracker']),
];

const engines: { kafka?: KafkaCluster; postgres?: SystemPostgres; roles?: SeparateRoles } = {};
const roles = () => engines.roles!;

before(async () => {
  const [kafka, postgres, s3] = await Promise.all([startTestKafka(), startSystemPostgres(), testS3()]);
  Object.assign(engines, { kafka, postgres });
  engines.roles = await createRoles({
    ...{ brokers: kafka.addresses, databaseServer: postgres.url, s3 },
    ...{ seed, clusters },
  });
});
after(async () => {
  await engines.roles?.remove();
  await engines.postgres?.remove();
});

test(`F8, F11: ${archives} archives of ${clusters} clusters, while ${victims.join(', ')} die: each a report, each issue told once (CCX_TEST_SEED=${seed})`, async (t) => {
  t.diagnostic(`PostgreSQL ${await serverVersion(engines.postgres!.url)}`);
  const startedMs = clock.monotonicMs();
  const told = (what: string) =>
    t.diagnostic(`${((clock.monotonicMs() - startedMs) / 1000).toFixed(1)} s: ${load.accepted()} accepted, ${what}`);
  const running = new Map<RoleName, RunningRole>();
  // The writer first: it brings the schema up that the notifier demands.
  running.set('writer', await roles().start('writer'));
  const others = roleNames.filter((name) => name !== 'writer');
  await Promise.all(others.map(async (name) => running.set(name, await roles().start(name))));

  const load = startLoad(roles());
  told('all roles run');
  for (const [index, victim] of victims.entries()) {
    // So many before it dies, and as many again that come while it is dead or on its way back.
    await load.untilAccepted((archives * (index + 1)) / (victims.length + 1));
    load.allow((archives * (index + 2)) / (victims.length + 1));
    await dieAndReturn(victim, { running, load });
    told(`${victim} was killed and is back`);
  }
  const gatherings = await load.finished();
  told('everything is uploaded');

  assert.deepEqual(await roles().complaints(quietMsMax), []);
  told(`quiet; ${gatherings.filter(({ attempts }) => attempts > 1).length} were sent more than once`);
  const slowestMs = await roles().stopRoles();
  told(`all roles have ended, the slowest in ${Math.round(slowestMs)} ms`);
  assert.deepEqual(await roles().complaints(0), [], 'and every process stops cleanly, which changes nothing');
  await assertReportsAreOf(gatherings);
  await assertArchivesAreStored(gatherings);
  told('all of it is as it was sent');
});

interface Load {
  accepted(): number;
  refused(): number;
  untilAccepted(count: number): Promise<void>;
  /** Up to so many archives may be sent; before, a quarter of all is not passed. */
  allow(count: number): void;
  /** With everything allowed: all of them, once each was accepted. */
  finished(): Promise<readonly Gathering[]>;
}

/** Operators who send what they have gathered until somebody accepts it, under the same request id. */
function startLoad({ operators, ingressUrl }: SeparateRoles): Load {
  const gatherings: Gathering[] = [];
  const state = { accepted: 0, refused: 0, allowed: (2 * archives) / (victims.length + 1) };
  const failed = new AbortController();
  const send = async () => {
    while (gatherings.length < archives) {
      if (gatherings.length >= state.allowed) {
        await clock.sleep(pollMs, failed.signal);
        continue;
      }
      const gathering = operators.gather();
      gatherings.push(gathering);
      while (!(await operators.upload(gathering, ingressUrl, 'same-id'))) {
        state.refused += 1;
        await clock.sleep(retryMs, failed.signal);
      }
      state.accepted += 1;
    }
  };
  const work = Promise.all(Array.from({ length: uploadsAtOnce }, send));
  work.catch(() => failed.abort());
  return {
    accepted: () => state.accepted,
    refused: () => state.refused,
    untilAccepted: (count) => until(() => state.accepted >= Math.floor(count)),
    allow(count) {
      state.allowed = count;
    },
    async finished() {
      state.allowed = archives;
      await work;
      return gatherings;
    },
  };
}

interface Scene {
  readonly running: Map<RoleName, RunningRole>;
  readonly load: Load;
}

/** An engine stays away until a role says so, or uploads are refused for it; when it is back, those who waited say that as well. */
async function dieAndReturn(victim: Victim, { running, load }: Scene): Promise<void> {
  const says = (name: RoleName, status: number, text: RegExp) =>
    until(async () => {
      const answer = await fetch(running.get(name)!.readyUrl);
      return text.test(await answer.text()) && answer.status === status;
    });
  switch (victim) {
    case 'Kafka': {
      await engines.kafka!.stopBroker(0, 'SIGKILL');
      const before = load.accepted();
      await load.untilAccepted(before + 1);
      await Promise.all([
        says('ingress', 200, /wait in the outbox: /),
        says('data-pipeline', 503, /cannot reach the Kafka broker/),
        says('writer', 503, /cannot reach the Kafka broker/),
      ]);
      await engines.kafka!.startBroker(0);
      for (const name of ['data-pipeline', 'writer'] as const) {
        const { process } = running.get(name)!;
        await process.waitForOutput(/"code":"BUS_UNREACHABLE".*cannot reach the Kafka broker/, returnMsMax);
        await process.waitForOutput(/a consumer goes on/, returnMsMax);
      }
      return;
    }
    case 'PostgreSQL':
      await engines.postgres!.end('killed');
      await says('writer', 503, /./);
      await engines.postgres!.start();
      return;
    case 'S3': {
      const server = await testS3();
      await server.kill('SIGKILL');
      const before = load.refused();
      await until(() => load.refused() > before);
      await server.start();
      return;
    }
    default: {
      const { process } = running.get(victim)!;
      process.kill('SIGKILL');
      const { signal } = await process.exited(deathMsMax);
      assert.equal(signal, 'SIGKILL', `${victim} had ended before:\n${process.stderr()}`);
      running.set(victim, await roles().start(victim));
    }
  }
}

/**
 * Row by row: whose report it is, and what it found. An archive that was answered at once has one; one whose answer was cut off was
 * announced as often as ingress came so far, and has one for each (`docs/guarantees.md`, line 3).
 */
async function assertReportsAreOf(gatherings: readonly Gathering[]): Promise<void> {
  const database = connectDatabase({ url: roles().databaseUrl, applicationName: 'all-at-once' });
  try {
    const { rows } = await database.query<{ requestId: string; cluster: string; report: string }>(
      `SELECT f.request_id AS "requestId", rtrim(r.cluster) AS cluster, r.report
         FROM new_reports AS r JOIN ccx.report_facts AS f USING (org_id, cluster, updated_at)`,
    );
    const byRequest = Map.groupBy(rows, ({ requestId }) => requestId);
    for (const { requestId, cluster, findings, attempts } of gatherings) {
      const reports = byRequest.get(requestId) ?? [];
      const count = `${reports.length} reports of ${requestId}, which was sent ${attempts} times`;
      assert.ok(reports.length >= 1 && reports.length <= attempts, count);
      for (const { cluster: whose, report } of reports) {
        const { reports: hits } = JSON.parse(report) as { readonly reports: readonly { readonly key: string }[] };
        const keys = hits.map(({ key }) => key).sort();
        assert.deepEqual([whose, keys], [cluster, [...findings].sort()], requestId);
      }
    }
    assert.equal(byRequest.size, gatherings.length, 'and no report is of an archive that nobody sent');
  } finally {
    await database.close();
  }
}

/** Byte for byte, under its request id. */
async function assertArchivesAreStored(gatherings: readonly Gathering[]): Promise<void> {
  const bucket = await testBucket();
  try {
    for (const { requestId, archive } of gatherings) {
      const stored = await buffer((await bucket.get(requestId))!.body);
      assert.ok(stored.equals(archive), `the archive of ${requestId}`);
    }
  } finally {
    await bucket.close();
  }
}
