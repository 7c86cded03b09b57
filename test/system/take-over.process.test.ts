/**
 * An installation that release 0.1.0 at commit 9e6a6cf has left goes on with this program: nothing is lost, nobody is notified twice, and
 * what `ccx explain` says is true. The folder was filled by that commit itself (`scripts/make-older-data-folder.ts`).
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import type { Explanation } from '../../src/services/notification-service/store/explain.ts';
import { simulateCluster } from '../../src/tools/cluster-simulator/simulate-cluster.ts';
import { uploadArchive } from '../../src/tools/cluster-simulator/upload-archive.ts';
import { runCcx } from '../support/ccx-process.ts';
import { whyNoInstallation } from '../support/data-folder.ts';
import { type Installation, startInstallation } from '../support/installation.ts';
import {
  OLDER_CLUSTERS,
  OLDER_FINDING,
  OLDER_INGRESS_NAME,
  unpackOlderDataFolder,
} from '../support/older-data-folder.ts';
import { tokensFile } from '../support/operator-tokens.ts';

type Kind = keyof typeof OLDER_CLUSTERS;
const kinds = Object.keys(OLDER_CLUSTERS) as Kind[];
const clusterOf = (kind: Kind) =>
  simulateCluster({ seed: OLDER_CLUSTERS[kind], now: new Date(0), findings: [OLDER_FINDING] }).clusterId;
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
/** Only a failing test waits so long. */
const waitMsMax = 90_000;

describe('a data folder of commit 9e6a6cf', { skip: whyNoInstallation() }, () => {
  let system: Installation;
  let startedMs: number;
  before(async () => {
    const entry = (name: string, orgId: string) => ({ sha256: sha256(name), org_id: orgId });
    const tokens = tokensFile({ tokens: [entry('one', '1'), entry('evil', '666')] });
    const env = { INGRESS_HOSTNAME: OLDER_INGRESS_NAME, CCX_INGRESS__GATEWAY__TOKENS_FILE: tokens };
    system = await startInstallation({
      env,
      async fill(...place) {
        await unpackOlderDataFolder(...place);
        startedMs = Date.now() - 1_000;
      },
    });
  });
  after(() => system?.end());

  const explain = async (kind: Kind) => {
    const { code, stdout, stderr } = await runCcx(['explain', clusterOf(kind), '--data', system.folder.root]);
    assert.deepEqual([code, stderr], [0, ''], kind);
    const [, backend = '', serviceLog = ''] = stdout.split(/^(?=notification backend$|Service Log$)/m);
    return { backend, serviceLog };
  };
  /** How often each cluster is in a list. */
  const counted = (clusters: readonly (string | undefined)[]) =>
    Object.fromEntries(kinds.map((kind) => [kind, clusters.filter((id) => id === clusterOf(kind)).length]));

  test('F26, G25: what waited arrives, once, and nothing that had arrived comes again', async () => {
    const expected = { dead: 0, pending: 1, heldBack: 1, delivered: 0, contested: 0, unannounced: 1 };
    const posted = () => counted(system.standIns.serviceLog!.entries().map((entry) => entry.cluster_uuid));
    const deadline = performance.now() + waitMsMax;
    while (JSON.stringify(posted()) !== JSON.stringify(expected) && performance.now() < deadline)
      await system.clock.sleep(100);
    assert.ok(await system.waitUntilIdle(waitMsMax));
    assert.deepEqual(posted(), expected, 'at Service Log, by this program');

    const received = system.standIns.backend!.received();
    // Organization 666 had been told of the contested cluster, too.
    const once = { dead: 1, pending: 1, heldBack: 1, delivered: 1, contested: 2, unannounced: 1 };
    assert.deepEqual(counted(received.map(({ mail }) => mail?.cluster)), once, 'at the backend, by both programs');
    assert.equal(received.length, 7, 'no repeats either');
    assert.deepEqual(system.events.seen('message-dead-lettered'), []);
  });

  test('explain says what became of each, and when', async () => {
    const lastSent = (text: string) => Date.parse(`${/last sent (\S+ \S+) UTC/.exec(text)?.[1]?.replace(' ', 'T')}Z`);
    for (const kind of ['pending', 'heldBack', 'delivered'] as const) {
      const { backend, serviceLog } = await explain(kind);
      for (const part of [backend, serviceLog])
        assert.match(part, new RegExp(`${OLDER_FINDING}[^]*\\bdelivered\\b`), kind);
      assert.ok(lastSent(backend) < startedMs, `${kind}: the older program told the backend`);
      assert.equal(lastSent(serviceLog) < startedMs, kind === 'delivered', `${kind}: ${serviceLog}`);
    }
    const { backend, serviceLog } = await explain('dead');
    assert.match(backend, /\bdelivered\b/);
    assert.match(serviceLog, /\bdead\b.*SERVICE_LOG_REJECTED/);
    assert.doesNotMatch(serviceLog, /\bdelivered\b/);
    const { stdout } = await runCcx(['notifications', 'list', '--data', system.folder.root]);
    assert.match(stdout, new RegExp(`dead.*${clusterOf('dead')}|${clusterOf('dead')}.*dead`));
  });

  test('clusters and issues are known since when the older program saw them, and what it knew has not appeared again', async () => {
    for (const kind of kinds) {
      const { stdout } = await runCcx([
        'explain',
        clusterOf(kind),
        '--json',
        '--history',
        '--data',
        system.folder.root,
      ]);
      const { clusters, issues, history } = JSON.parse(stdout) as Explanation;
      const [newest] = clusters;
      assert.equal(newest?.state, 'reporting', kind);
      assert.ok(issues.length > 0, kind);
      const isNew = kind === 'unannounced';
      for (const issue of issues.filter(({ org_id }) => org_id === newest?.org_id)) {
        assert.equal(issue.issue_state, 'open', `${kind} ${issue.error_key}`);
        assert.equal(
          Date.parse(`${issue.first_seen_at.replace(' ', 'T')}Z`) < startedMs,
          !isNew,
          `${kind}: first seen`,
        );
      }
      const appeared = history.filter(({ event }) => event === 'appeared').map(({ error_key }) => error_key);
      assert.deepEqual(appeared, isNew ? [OLDER_FINDING] : [], kind);
    }
    const { stdout: listed } = await runCcx(['clusters', 'list', '--json', '--data', system.folder.root]);
    const names = listed
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { readonly cluster: string }).cluster);
    assert.deepEqual(new Set(names), new Set(kinds.map(clusterOf)), 'none is lost');
  });

  test('the auditor finds nothing in what the older program left', async () => {
    const { code, stdout } = await runCcx(['notifications', 'audit', '--data', system.folder.root]);
    assert.equal(code, 0, stdout);
  });

  test('each cluster is the organization’s of its oldest report', async () => {
    const upload = (token: string) =>
      uploadArchive({
        ...{ url: system.ingress.uploadUrl, token, clusterId: clusterOf('contested') },
        ...simulateCluster({ seed: OLDER_CLUSTERS.contested, now: system.clock.now(), findings: [OLDER_FINDING] }),
        clusterId: clusterOf('contested'),
      });
    assert.equal((await upload('evil')).status, 403);
    assert.equal((await upload('one')).status, 202);
  });
});
