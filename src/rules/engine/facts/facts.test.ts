/** Facts that the rules' own tests do not show: odd shapes, absence, what is left out. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonValue } from '../../../contracts/json.ts';
import { createArchiveView } from '../archive-view.ts';
import { createFacts, FACT_NAMES } from '../facts.ts';
import { nameCharactersMax, versionCharactersMax } from '../limits.ts';

function factsOf(files: Readonly<Record<string, JsonValue>>) {
  const entries = Object.entries(files).map(([path, value]): [string, Buffer] => [
    path,
    Buffer.from(JSON.stringify(value)),
  ]);
  const failures: string[] = [];
  return { facts: createFacts(createArchiveView(new Map(entries)), (fact) => failures.push(fact)), failures };
}

test('over an empty archive every fact is absent', () => {
  const { facts, failures } = factsOf({});
  for (const name of FACT_NAMES) assert.equal(facts[name], undefined, name);
  assert.deepEqual(failures, []);
});

test('a fact is read once', () => {
  const { facts } = factsOf({ 'config/alerts.json': [] });
  assert.notEqual(facts.alerts, undefined);
  assert.equal(facts.alerts, facts.alerts);
});

test('a reader that fails makes its fact absent and is reported once', () => {
  const view = createArchiveView(new Map());
  const cause = new Error('bug');
  const broken = {
    ...view,
    json: () => {
      throw cause;
    },
  };
  const failures: unknown[] = [];
  const facts = createFacts(broken, (fact, error) => failures.push([fact, error]));
  assert.equal(facts.network, undefined);
  assert.equal(facts.network, undefined);
  assert.deepEqual(failures, [['network', cause]]);
});

test('the current version is the newest that was installed completely', () => {
  const { facts } = factsOf({
    'config/version.json': {
      spec: { channel: 'stable-4.17' },
      status: {
        desired: { version: '4.17.5' },
        history: [
          { state: 'Partial', version: '4.17.5' },
          { state: 'Completed', version: '4.16.9' },
          { state: 'Completed', version: '4.15.1' },
        ],
      },
    },
  });
  const { current, desired, branch, channel, isOkd, overrides } = facts.clusterVersion!;
  assert.deepEqual(
    { current, desired, branch, channel, isOkd, overrides },
    {
      current: '4.16.9',
      desired: '4.17.5',
      branch: '4.16',
      channel: 'stable-4.17',
      isOkd: false,
      overrides: [],
    },
  );
});

test('there is no version before the first installation has completed', () => {
  const history = [{ state: 'Partial', version: '4.17.5' }];
  assert.equal(factsOf({ 'config/version.json': { status: { history } } }).facts.clusterVersion, undefined);
});

test('a proxy is a fact only where one is set', () => {
  const proxy = (value: JsonValue) => factsOf({ 'config/proxy.json': value }).facts.proxy;
  assert.equal(proxy({ spec: { httpProxy: '' }, status: {} }), undefined);
  assert.deepEqual(proxy({ spec: { httpProxy: '' }, status: { httpsProxy: 'http://p:3128' } }), {
    httpProxy: '',
    httpsProxy: 'http://p:3128',
  });
});

test('nodes tell their roles, their size and their state', () => {
  const node = {
    metadata: {
      name: 'n',
      labels: {
        'node-role.kubernetes.io/control-plane': '',
        'node-role.kubernetes.io/infra': '',
        'node-role.kubernetes.io/': '',
      },
    },
    spec: { unschedulable: true, taints: [{ key: 'a', effect: 'NoSchedule' }, {}] },
    status: {
      capacity: { cpu: '7500m', memory: 8 },
      conditions: [{ type: 'Ready', status: 'False', reason: 'KubeletNotReady' }],
      nodeInfo: { kubeletVersion: 'v1.30.3', containerRuntimeVersion: 'cri-o://1.30.4' },
    },
  };
  assert.deepEqual(factsOf({ 'config/node/n.json': node, 'config/node/logs/n.json': node }).facts.nodes, [
    {
      name: 'n',
      roles: ['infra', 'master'],
      cpuCores: 7.5,
      memoryBytes: undefined,
      ready: { status: false, last_trans_time: null, reason: 'KubeletNotReady', message: '' },
      kubeletVersion: 'v1.30.3',
      containerRuntimeVersion: 'cri-o://1.30.4',
      unschedulable: true,
      taints: ['a'],
    },
  ]);
});

test('resources of operators are told by their path, since the files may lack their kind', () => {
  const resource = { spec: { managementState: 'Managed' } };
  const root = 'config/clusteroperator';
  const { facts } = factsOf({
    [`${root}/operator.openshift.io/etcd/cluster.json`]: resource,
    [`${root}/operator.openshift.io/ingresscontroller/openshift-ingress-operator/default.json`]: { spec: {} },
    [`${root}/operator.openshift.io/odd/nothing.json`]: {},
    [`${root}/etcd.json`]: resource,
  });
  assert.deepEqual(facts.operatorResources, [
    { group: 'operator.openshift.io', kind: 'etcd', name: 'cluster', managementState: 'Managed' },
    { group: 'operator.openshift.io', kind: 'ingresscontroller', name: 'default', managementState: '' },
  ]);
});

test('the registry is read from where older archives have it, too', () => {
  const registry = {
    metadata: { name: 'cluster' },
    spec: { managementState: 'Removed', storage: { pvc: {}, s3: {}, other: {} } },
  };
  const { facts } = factsOf({ 'config/imageregistry.json': registry });
  assert.deepEqual(facts.imageRegistry?.backends, ['pvc', 's3']);
  assert.equal(facts.imageRegistry?.claim, 'image-registry-storage');
});

test('a name may be as long as Kubernetes allows, and what has a longer one is no object', () => {
  const nodesNamed = (length: number) =>
    factsOf({ 'config/node/n.json': { metadata: { name: 'n'.repeat(length) } } }).facts.nodes?.length;
  assert.equal(nodesNamed(nameCharactersMax), 1);
  assert.equal(nodesNamed(nameCharactersMax + 1), undefined);
  const versionOf = (length: number) =>
    factsOf({
      'config/version.json': { status: { history: [{ state: 'Completed', version: '4.17.0-'.padEnd(length, 'x') }] } },
    }).facts.clusterVersion?.current.length;
  assert.equal(versionOf(versionCharactersMax), versionCharactersMax);
  assert.equal(versionOf(versionCharactersMax + 1), undefined);
});

test('volumes, webhooks and alerts without a name are left out', () => {
  const { facts } = factsOf({
    'config/persistentvolumes/a.json': { spec: {} },
    'config/mutatingwebhookconfigurations/a.json': { metadata: { name: 'a' }, webhooks: [{}, { name: 'w' }, 'text'] },
    'config/alerts.json': [{ labels: {} }, { labels: { alertname: 'A' }, annotations: { message: 'old form' } }],
  });
  assert.equal(facts.persistentVolumes, undefined);
  assert.deepEqual(facts.webhooks, [
    { kind: 'mutating', configuration: 'a', name: 'w', timeoutSeconds: 10, serviceNamespace: undefined },
  ]);
  assert.deepEqual(facts.alerts, [
    { name: 'A', namespace: '', severity: '', state: '', summary: 'old form', startsAt: '' },
  ]);
});
