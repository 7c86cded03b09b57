/**
 * A real operator and nobody in between: it has a token and no identity, and the installation knows the token's hash, as docs/operator.md
 * says. The page's own example is the configuration of this test, so the page cannot go wrong unnoticed.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { parse } from 'yaml';
import { encodeIdentity } from '../../src/contracts/identity.ts';
import { readTrace } from '../../src/platform/records/trace-log.ts';
import { describeTrace } from '../../src/services/payload-tracker/decide/describe-trace.ts';
import { simulateCluster } from '../../src/tools/cluster-simulator/simulate-cluster.ts';
import { type UploadAnswer, uploadArchive } from '../../src/tools/cluster-simulator/upload-archive.ts';
import { type Installation, startInstallation } from '../support/installation.ts';
import { identityOf } from '../support/owner-identity.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { temporaryFile } from '../support/temporary-folder.ts';

const token = 'bm90LWEtcmVhbDp0b2tlbg==';
const otherToken = 'bmVpZ2hib3VyOnRva2Vu';
const clusterId = '5d5892d3-1f74-4ccf-91af-548dfc9767aa';
const otherCluster = '11111111-2222-4333-8444-555555555555';

describe('an operator with a token', () => {
  let system: Installation;
  before(async () => {
    const { variable, tokens } = await readOperatorPage();
    const [entry] = (JSON.parse(tokens) as { tokens: { sha256: string; cluster_id: string }[] }).tokens;
    const other = { ...entry, sha256: createHash('sha256').update(otherToken).digest('hex'), cluster_id: otherCluster };
    const file = temporaryFile('tokens.json', JSON.stringify({ tokens: [entry, other] }));
    system = await startInstallation({ env: { [variable]: file }, database: await createTestDatabase() });
  });
  after(() => system?.end());

  async function upload(
    change: { readonly token?: string; readonly identity?: string; readonly cluster?: string } = { token },
  ): Promise<UploadAnswer> {
    const cluster = simulateCluster({
      ...{ seed: 'operator', clusterId, now: system.clock.now() },
      findings: ['CONTROL_PLANE_NODE_REPLICAS'],
    });
    return await uploadArchive({
      url: system.ingress.uploadUrl,
      archive: cluster.archive,
      gatheredAt: cluster.gatheredAt,
      clusterId: change.cluster ?? clusterId,
      ...(change.token === undefined ? {} : { token: change.token }),
      ...(change.identity === undefined ? {} : { identity: change.identity }),
    });
  }

  test('is told apart from everybody else, and nothing of theirs is kept', async () => {
    const refused = {
      'an unknown token': await upload({ token: 'YW5vdGhlcjp0b2tlbg==' }),
      'the token of another cluster': await upload({ token, cluster: otherCluster }),
      'no token': await upload({}),
      'an identity that nobody vouches for': await upload({ identity: encodeIdentity(identityOf(clusterId)) }),
    };
    for (const [who, answer] of Object.entries(refused)) assert.equal(answer.status, 401, `${who}: ${answer.body}`);
    // The answer does not say why; the log and the metrics of the installation do.
    assert.deepEqual(
      system.events.seen('upload-refused').map(({ fields }) => fields['code']),
      ['TOKEN_UNKNOWN', 'TOKEN_OF_ANOTHER_CLUSTER', 'TOKEN_MISSING', 'TOKEN_MISSING'],
    );
    assert.equal(system.events.seen('archive-stored').length, 0);
  });

  test('uploads, and its owners are told', async () => {
    const answer = await upload();
    assert.equal(answer.status, 202, answer.body);
    // The operator brings no request id; the one in the answer is what its log shows.
    const requestId = answer.requestId!;
    await system.events.wait('outcome-recorded', { requestId }, 2);
    assert.ok(await system.waitUntilIdle(30_000));

    const [mail] = system.standIns.backend?.notifications() ?? [];
    assert.equal(mail?.mail?.cluster, clusterId);
    assert.equal(mail?.mail?.orgId, '1', 'the organization that the token file says');
    assert.deepEqual(
      system.standIns.serviceLog?.entries().map((entry) => entry.cluster_uuid),
      [clusterId],
    );
    const story = describeTrace(await readTrace(system.database, requestId));
    assert.deepEqual([story.ending.kind, story.orgId, story.cluster], ['complete', '1', clusterId]);

    // What the payload tracker has of it, ingress shows to whose it is.
    const track = (by: string, cluster: string) =>
      fetch(`${system.ingress.baseUrl}/api/ingress/v1/track/${requestId}?verbosity=2`, {
        headers: { authorization: `Bearer ${by}`, 'user-agent': `insights-operator/4.19.0 cluster/${cluster}` },
      });
    const tracked = (await (await track(token, clusterId)).json()) as {
      data: { service: string; system_id: string }[];
    };
    const services = new Set(tracked.data.map(({ service }) => service));
    for (const service of ['ingress', 'ccx-data-pipeline', 'ccx-notification-writer'])
      assert.ok(services.has(service), service);
    assert.deepEqual([...new Set(tracked.data.map(({ system_id }) => system_id))], [clusterId]);
    assert.equal((await track(otherToken, otherCluster)).status, 403, 'a neighbour of the same organization');
  });
});

/** Every address that the operator would otherwise call elsewhere, token in hand. Source: ingress.md B.1. */
const redirected = [
  'dataReporting.uploadEndpoint',
  'dataReporting.downloadEndpoint',
  'dataReporting.downloadEndpointTechPreview',
  'dataReporting.processingStatusEndpoint',
  'dataReporting.conditionalGathererEndpoint',
  'clusterTransfer.endpoint',
];

test('docs/operator.md leaves no call of the operator to the vendor’s cloud', async () => {
  const page = await readFile(new URL('../../docs/operator.md', import.meta.url), 'utf8');
  const configMap = parse(/```yaml\n(.*?)\n```/s.exec(page)?.[1] ?? '') as { data: { 'config.yaml': string } };
  const settings = parse(configMap.data['config.yaml']) as Record<string, Record<string, string>>;
  for (const key of redirected) {
    const [section = '', name = ''] = key.split('.');
    assert.match(settings[section]?.[name] ?? 'missing', /^http:\/\/THIS-HOST:3000\/api\//, key);
  }
  assert.equal(settings['sca']?.['disabled'], 'true');
});

/** The example of docs/operator.md, filled in: the setting, and the content of the file that it names. */
async function readOperatorPage(): Promise<{ readonly variable: string; readonly tokens: string }> {
  const page = await readFile(new URL('../../docs/operator.md', import.meta.url), 'utf8');
  const example = /```json\n(.*?)\n```/s.exec(page)?.[1] ?? '';
  const variable = /^(CCX_\w+)=\S*tokens\.json /m.exec(page)?.[1];
  assert.ok(variable !== undefined && example !== '', 'docs/operator.md has no example any more');
  const tokens = example
    .replace('<64 hexadecimal digits>', createHash('sha256').update(token).digest('hex'))
    .replace('<uuid>', clusterId);
  assert.ok(!tokens.includes('<'), tokens);
  return { variable, tokens };
}
