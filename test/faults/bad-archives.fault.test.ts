/**
 * Hostile and broken uploads through the real flow, over HTTP into one running installation: each is answered, dead-lettered with a stable code
 * or read as far as it can be, and the good archive behind it goes all the way to its notifications.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { parseDeadLetterHeaders } from '../../src/contracts/dead-letter.ts';
import type { OcpResultsMessage } from '../../src/contracts/serialize-ocp-results.ts';
import { TOPIC_OCP_RESULTS, TOPIC_PIPELINE_DEAD_LETTERS } from '../../src/contracts/topics.ts';
import { packArchive, packTar } from '../../src/platform/archive/pack-archive.ts';
import { headerText } from '../../src/platform/bus/bus.ts';
import { loadConfig } from '../../src/platform/config/load-config.ts';
import { createSilentTelemetry } from '../../src/platform/telemetry/telemetry.ts';
import { dataPipelineOptions, dataPipelineSettings } from '../../src/services/data-pipeline/config.ts';
import { startDataPipeline } from '../../src/services/data-pipeline/service.ts';
import { simulateCluster } from '../../src/tools/cluster-simulator/simulate-cluster.ts';
import { uploadArchive } from '../../src/tools/cluster-simulator/upload-archive.ts';
import { type Installation, startInstallation } from '../support/installation.ts';
import { identityOf } from '../support/owner-identity.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { hostileArchives, rawEntries } from './hostile-archives.ts';

const misbehavingRules = new URL('../support/misbehaving-rules.ts', import.meta.url);
const idleMsMax = 60_000;
const mebibyte = 1024 * 1024;

describe('a bad upload costs itself and nothing else', () => {
  let installation: Installation;
  let stopPipeline: () => Promise<void>;
  const telemetry = createSilentTelemetry('data-pipeline');
  let clusters = 0;

  before(async () => {
    installation = await startInstallation({ database: await createTestDatabase() });
    // The installation with one of its services replaced: the same pipeline, with rules among its own that misbehave when they are told to.
    const { ingress, bus, clock, services } = installation;
    await services.find(({ name }) => name === 'data-pipeline')!.stop();
    const settings = dataPipelineSettings(loadConfig(dataPipelineOptions, { env: {} }).config);
    const pipeline = await startDataPipeline(
      {
        ...settings,
        download: { ...settings.download, allowedHosts: [new URL(ingress.baseUrl).host] },
        // Short, but long enough for every other rule on a busy machine.
        rules: { ...settings.rules, ruleMsMax: 3_000, runnerBytesMax: 256 * mebibyte },
      },
      { bus, clock, telemetry, runnerModule: misbehavingRules },
    );
    stopPipeline = () => pipeline.stop();
  });
  after(async () => {
    await stopPipeline?.();
    await installation?.end();
  });

  const simulate = (findings: readonly string[]) => {
    clusters += 1;
    return simulateCluster({ seed: `bad archives ${clusters}`, now: installation.clock.now(), findings });
  };
  /** Answers the request id of an upload that was accepted. */
  const upload = async (archive: Buffer, cluster: string | undefined): Promise<string> => {
    const { ingress, clock } = installation;
    const requestId = clock.uuid();
    const answer = await uploadArchive({
      url: ingress.uploadUrl,
      archive,
      clusterId: cluster ?? '00000000-0000-0000-0000-000000000000',
      gatheredAt: clock.now(),
      identity: identityOf(cluster),
      requestId,
    });
    assert.equal(answer.status, 202);
    return requestId;
  };
  /** Resolves when both targets have told of these findings of the cluster, and of nothing else. */
  const assertTold = async (cluster: string, findings: readonly string[]) => {
    const { events, standIns } = installation;
    await events.wait('notification-delivered', { target: 'notification-backend', cluster });
    await events.wait('notification-delivered', { target: 'service-log', cluster }, findings.length);
    assert.equal(await installation.waitUntilIdle(idleMsMax), true);
    const entries = standIns.serviceLog!.entries().filter((entry) => entry.cluster_uuid === cluster);
    const told = entries.map(({ description }) => /\|([A-Z0-9_]+)\)/.exec(description)?.[1]);
    assert.deepEqual(told.sort(), [...findings].sort());
    const mails = standIns.backend!.notifications().filter(({ mail }) => mail?.cluster === cluster);
    assert.equal(mails.length, 1);
    for (const finding of findings) assert.ok(mails[0]!.body.includes(finding));
  };
  const assertGoodOneArrives = async () => {
    const { clusterId, archive } = simulate(['MCP_SET_TO_PAUSE']);
    await upload(archive, clusterId);
    await assertTold(clusterId, ['MCP_SET_TO_PAUSE']);
  };
  const assertPutAside = async (requestId: string, code: string) => {
    await installation.events.wait('message-dead-lettered', { requestId });
    const letters = (await installation.readTopic(TOPIC_PIPELINE_DEAD_LETTERS)).map((record) =>
      parseDeadLetterHeaders((name) => headerText(record, name)),
    );
    const letter = letters.find((one) => one?.requestId === requestId);
    assert.equal(letter?.code, code);
    assert.ok((letter?.reason.length ?? 0) > 10, `says why: ${letter?.reason}`);
  };
  const reportOf = async (requestId: string): Promise<OcpResultsMessage> => {
    await installation.events.wait('report-stored', { requestId });
    const reports = (await installation.readTopic(TOPIC_OCP_RESULTS)).map(
      ({ value }) => JSON.parse(String(value)) as OcpResultsMessage,
    );
    return reports.find((report) => report.RequestId === requestId)!;
  };

  test('one that is empty is refused, so that the operator tries again', async () => {
    await assert.rejects(upload(Buffer.alloc(0), undefined), { actual: 400 });
    await assertGoodOneArrives();
  });

  describe('G15, G16, G18: what no operator makes', () => {
    for (const { fault, title, archive, code } of hostileArchives()) {
      test(`${fault}, one that ${title}: ${code}`, async () => {
        await assertPutAside(await upload(archive, '5d5892d3-1f74-4ccf-91af-548dfc9767aa'), code);
        await assertGoodOneArrives();
      });
    }
  });

  test('one whose cluster nobody names: CLUSTER_ID_MISSING', async () => {
    const { files } = simulate([]);
    const anonymous = [...files].filter(([path]) => path !== 'config/id' && path !== 'config/version.json');
    const archive = packArchive([...anonymous.map(([path, body]) => ({ path, body }))]);
    await assertPutAside(await upload(archive, undefined), 'CLUSTER_ID_MISSING');
    await assertGoodOneArrives();
  });

  test('G17: links and devices are passed over, the files beside them are read', async () => {
    const { clusterId, files } = simulate(['MCP_SET_TO_PAUSE']);
    const strange = rawEntries([
      { path: 'config/network.json', type: 'SymbolicLink', linkpath: '/etc/passwd' },
      { path: 'config/hard', type: 'Link', linkpath: 'config/id' },
      { path: 'config/character', type: 'CharacterDevice' },
      { path: 'config/block', type: 'BlockDevice' },
      { path: 'config/pipe', type: 'FIFO' },
    ]);
    const plain = packTar([...files].map(([path, body]) => ({ path, body })));
    const requestId = await upload(Buffer.concat([strange, plain]), clusterId);
    await assertTold(clusterId, ['MCP_SET_TO_PAUSE']);
    assert.ok(!JSON.stringify(await reportOf(requestId)).includes('root:'));
    const metrics = await telemetry.registry.metrics();
    assert.match(metrics, /^ccx_data_pipeline_skipped_entries_total 5$/m, 'a link to what comes later among them');
  });

  for (const [what, body] of [
    ['is broken', '{"spec":'],
    ['nests 10 000 deep', `${'['.repeat(10_000)}${']'.repeat(10_000)}`],
    ['names a prototype', '{"__proto__":{"spec":{"networkType":"x"}},"constructor":{"prototype":1}}'],
    ['is no UTF-8', Buffer.from([0x7b, 0xff, 0xfe, 0x22, 0x7d])],
  ] as const) {
    test(`JSON inside that ${what} costs the rules that need it: INPUT_BROKEN`, async () => {
      const { clusterId, files } = simulate(['MCP_SET_TO_PAUSE', 'UNSUPPORTED_CNI_PLUGIN']);
      const changed = new Map<string, Buffer | string>(files).set('config/network.json', body);
      const archive = packArchive([...changed].map(([path, content]) => ({ path, body: content })));
      const requestId = await upload(archive, clusterId);
      await assertTold(clusterId, ['MCP_SET_TO_PAUSE']);
      const { Report: report } = await reportOf(requestId);
      const skip = report.skips.find(({ rule_fqdn }) => rule_fqdn.includes('unsupported_cni_plugin'));
      assert.equal(skip?.reason, 'INPUT_BROKEN');
      assert.equal(Object.hasOwn(Object.prototype, 'spec'), false);
      await assertGoodOneArrives();
    });
  }

  for (const [deed, code] of [
    ['throws', 'RULE_THREW'],
    ['loops', 'RUNNER_TIMEOUT'],
    ['eats', 'RUNNER_MEMORY'],
  ] as const) {
    test(`a rule that ${deed} costs its own finding: ${code}`, async () => {
      const { clusterId, files } = simulate(['MCP_SET_TO_PAUSE']);
      const proxy = JSON.stringify({ spec: { httpProxy: `http://does-${deed}` } });
      const changed = new Map<string, Buffer | string>(files).set('config/proxy.json', proxy);
      const requestId = await upload(packArchive([...changed].map(([path, body]) => ({ path, body }))), clusterId);
      const [failed] = await installation.events.wait('rule-failed', { requestId });
      assert.deepEqual([failed?.fields['rule'], failed?.fields['code']], [`test.rules.${deed}`, code]);
      await assertTold(clusterId, ['MCP_SET_TO_PAUSE']);
      const report = await reportOf(requestId);
      assert.ok(
        report.Report.reports.some((hit) => hit.rule_id === 'witness|SEEN'),
        'the rule behind it was run',
      );
      await assertGoodOneArrives();
    });
  }

  test('behind all of them the installation is ready, and nothing is in flight', async () => {
    assert.equal(await installation.waitUntilIdle(idleMsMax), true);
    const readiness = await Promise.all(
      installation.services.filter(({ name }) => name !== 'data-pipeline').map((service) => service.readiness()),
    );
    assert.deepEqual(
      readiness.flatMap(({ reasons }) => reasons),
      [],
    );
  });
});
