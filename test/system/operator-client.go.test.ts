/**
 * What the Insights Operator does after it was configured as docs/operator.md says, done by a client of its language: it uploads, reads back
 * what was found, in both of its modes, asks what to gather, and each condition that would follow is healthy. The page's ConfigMap is the
 * configuration of this test.
 */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { parse } from 'yaml';
import { simulateCluster } from '../../src/tools/cluster-simulator/simulate-cluster.ts';
import { uploadArchive } from '../../src/tools/cluster-simulator/upload-archive.ts';
import { type OperatorPlan, runOperator } from '../support/go/insights-operator.ts';
import { type Installation, startInstallation } from '../support/installation.ts';
import { cluster, otherCluster, sha256, tokensFile } from '../support/operator-tokens.ts';
import { createTestDatabase } from '../support/postgres.ts';

/** The operator waits a minute; an archive goes through in less than a second where nothing else is to do. */
const waitMs = 2_000;
const healthy = { Status: 'False', Reason: '' };
const good = { Status: 'True', Reason: '' };

describe('the Insights Operator', () => {
  let system: Installation;
  let plan: OperatorPlan;
  before(async () => {
    const tokens = [
      { sha256: sha256('its'), org_id: '1', cluster_id: cluster },
      { sha256: sha256('neighbour'), org_id: '1', cluster_id: otherCluster },
    ];
    const env = { CCX_INGRESS__GATEWAY__TOKENS_FILE: tokensFile({ tokens }) };
    system = await startInstallation({ env, database: await createTestDatabase() });
    plan = { ...(await endpointsOfPage(system.ingress.baseUrl)), ...operatorOf('its', cluster) };
    // The first archive of an installation starts the processes that rules run in.
    const { archive, gatheredAt } = archiveOf('first', otherCluster);
    const answer = await uploadArchive({
      ...{ url: system.ingress.uploadUrl, archive, gatheredAt, clusterId: otherCluster, token: 'neighbour' },
    });
    assert.equal(answer.status, 202, answer.body);
    assert.ok(await system.waitUntilIdle(120_000));
  });
  after(() => system?.end());

  function archiveOf(seed: string, clusterId: string) {
    return simulateCluster({ seed, clusterId, now: system.clock.now(), findings: ['CONTROL_PLANE_NODE_REPLICAS'] });
  }

  function operatorOf(token: string, clusterId: string) {
    const archive = archiveOf(token, clusterId).archive.toString('base64');
    const release = { ReleaseVersion: '4.19.7', JobMode: false, WaitMs: waitMs };
    return { ...release, Token: token, Cluster: clusterId, Archive: archive };
  }

  test('reads back what was found of its archive, and is told what to gather', async () => {
    const outcome = await runOperator(plan);
    assert.deepEqual(outcome.Conditions, {
      RemoteConfigurationAvailable: good,
      RemoteConfigurationValid: good,
      UploadDegraded: healthy,
      InsightsDownloadDegraded: healthy,
      ClusterTransfer: { Status: 'None', Reason: '' },
    });
    const found = outcome.Recommendations?.find(({ ErrorKey }) => ErrorKey === 'CONTROL_PLANE_NODE_REPLICAS');
    assert.match(found?.Rule ?? '', /^ccx_rules_ocp\..*control_plane_replicas$/);
    assert.ok((found?.Description ?? '') !== '');
    const { total, ...byRisk } = outcome.Health;
    assert.equal(total, outcome.Recommendations?.length);
    assert.equal(
      Object.values(byRisk).reduce((sum, count) => sum + count, 0),
      total,
    );
    assert.ok(outcome.ContainerLogs > 0);
    assert.ok(Date.parse(outcome.LastCheckedAt) > 0, outcome.LastCheckedAt);
    assert.equal(outcome.Error, '');
  });

  test('in job mode follows its request to the report of it', async () => {
    const outcome = await runOperator({ ...plan, JobMode: true });
    assert.deepEqual(outcome.Conditions, {
      RemoteConfigurationAvailable: good,
      RemoteConfigurationValid: good,
      UploadDegraded: healthy,
      DataProcessed: good,
      InsightsDownloadDegraded: healthy,
      ClusterTransfer: { Status: 'None', Reason: '' },
    });
    assert.ok(outcome.Recommendations?.some(({ ErrorKey }) => ErrorKey === 'CONTROL_PLANE_NODE_REPLICAS'));
  });

  test('with a token of nobody, or of another cluster, is told so by every condition', async () => {
    const unauthorized = await runOperator({ ...plan, Token: 'nobody', WaitMs: 1 });
    assert.deepEqual(unauthorized.Conditions['UploadDegraded'], { Status: 'True', Reason: 'NotAuthorized' });
    assert.deepEqual(unauthorized.Conditions['RemoteConfigurationAvailable'], {
      Status: 'False',
      Reason: 'HttpStatus401',
    });
    const foreign = await runOperator({ ...plan, Cluster: otherCluster, WaitMs: 1 });
    assert.deepEqual(foreign.Conditions['UploadDegraded'], { Status: 'True', Reason: 'NotAuthorized' });
  });

  test('of a release that there are no gathering rules for gathers by its own', async () => {
    const old = await runOperator({ ...plan, ReleaseVersion: '4.12.1', WaitMs: 1, Token: 'its' });
    assert.equal(old.Conditions['RemoteConfigurationAvailable']?.Reason, 'HttpStatus404');
  });
});

/** The ConfigMap of docs/operator.md, for this installation. */
async function endpointsOfPage(baseUrl: string) {
  const page = await readFile(new URL('../../docs/operator.md', import.meta.url), 'utf8');
  const configMap = parse(/```yaml\n(.*?)\n```/s.exec(page)?.[1] ?? '') as { data: { 'config.yaml': string } };
  const settings = parse(configMap.data['config.yaml'].replaceAll('http://THIS-HOST:3000', baseUrl)) as {
    readonly dataReporting: Readonly<Record<string, string>>;
    readonly clusterTransfer: Readonly<Record<string, string>>;
  };
  const of = (name: string) => settings.dataReporting[name] ?? `docs/operator.md has no ${name}`;
  return {
    UploadEndpoint: of('uploadEndpoint'),
    DownloadEndpoint: of('downloadEndpoint'),
    DownloadEndpointTechPreview: of('downloadEndpointTechPreview'),
    ProcessingStatusEndpoint: of('processingStatusEndpoint'),
    ConditionalGathererEndpoint: of('conditionalGathererEndpoint'),
    ClusterTransferEndpoint: settings.clusterTransfer['endpoint'] ?? 'none',
  };
}
