/** Facts that the rules' own tests do not show: odd shapes, absence, what is left out. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonValue } from '../../../encoding/json-text.ts';
import { type ArchiveView, createArchiveView } from '../archive-view.ts';
import { FACT_NAMES, readFacts } from '../facts.ts';
import { nameCharactersMax } from '../json-access.ts';
import { versionCharactersMax } from '../semantic-version.ts';

function factsOf(files: Readonly<Record<string, JsonValue>>) {
  const entries = Object.entries(files).map(([path, value]): [string, Buffer] => [
    path,
    Buffer.from(JSON.stringify(value)),
  ]);
  return read(createArchiveView(new Map(entries)));
}

function read(view: ArchiveView, leaveOut: readonly string[] = []) {
  const failures: string[] = [];
  const before: string[] = [];
  const options = { beforeFact: (fact: string) => before.push(fact), leaveOut: new Set(leaveOut) };
  const sheet = readFacts(view, options, (fact) => failures.push(fact));
  return { sheet, facts: sheet.facts, failures, before };
}

test('over an empty archive every fact is absent', () => {
  const { facts, failures } = factsOf({});
  for (const name of FACT_NAMES) assert.equal(facts[name], undefined, name);
  assert.deepEqual(failures, []);
});

test('every fact is read before a rule looks, each named before it, and which of them a rule looks at is known', () => {
  const { sheet, facts, before } = factsOf({ 'config/alerts.json': [] });
  assert.deepEqual(before, FACT_NAMES);
  assert.deepEqual(sheet.takeLookedAt(), []);
  assert.equal(facts.alerts, facts.alerts);
  assert.equal(facts.nodes, undefined);
  assert.deepEqual(sheet.takeLookedAt(), ['alerts', 'nodes']);
  assert.deepEqual(sheet.takeLookedAt(), []);
});

test('a reader that fails makes its fact absent and is reported once', () => {
  const view = createArchiveView(new Map());
  const broken = {
    ...view,
    json(path: string) {
      if (path === 'config/network.json') throw new Error('bug');
      return view.json(path);
    },
  };
  const { sheet, failures } = read(broken);
  assert.equal(sheet.facts.network, undefined);
  assert.deepEqual([failures, sheet.state('network').failed], [['network'], true]);
});

test('a fact that is left out is not read and counts as broken', () => {
  const { sheet, before } = read(createArchiveView(new Map([['config/alerts.json', Buffer.from('[]')]])), ['alerts']);
  assert.equal(before.includes('alerts'), false);
  assert.equal(sheet.facts.alerts, undefined);
  assert.equal(sheet.state('alerts').broken.length, 1);
});

test('absent and broken are told apart: no file, a file that is no JSON, and JSON that does not belong there', () => {
  const { sheet } = read(
    createArchiveView(
      new Map(
        Object.entries({
          'config/version.json': '{"spec":',
          'config/infrastructure.json': '[]',
          'config/alerts.json': '{"alerts":[]}',
          'config/node/a.json': '{"metadata":{"name":"a"},"status":{}}',
          'config/node/b.json': '{"metadata":{}}',
          'config/machineconfigpools/a.json': '""',
        }).map(([path, body]): [string, Buffer] => [path, Buffer.from(body)]),
      ),
    ),
  );
  const broken = Object.fromEntries(
    FACT_NAMES.flatMap((name) => {
      const { broken: paths } = sheet.state(name);
      return paths.length === 0 ? [] : [[name, paths]];
    }),
  );
  assert.deepEqual(broken, {
    clusterVersion: ['config/version.json'],
    versionStatus: ['config/version.json'],
    infrastructure: ['config/infrastructure.json'],
    machineConfigPools: ['config/machineconfigpools/a.json'],
    nodes: ['config/node/b.json'],
    vsphereDetector: ['config/infrastructure.json'],
    vsphereMachines: ['config/infrastructure.json'],
    alerts: ['config/alerts.json'],
  });
  assert.deepEqual(
    sheet.facts.nodes?.map(({ name }) => name),
    ['a'],
  );
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
      annotations: {
        'machineconfiguration.openshift.io/currentConfig': 'rendered-infra-1',
        'machineconfiguration.openshift.io/desiredConfig': 2,
        'machine.openshift.io/machine': 'openshift-machine-api/n',
      },
    },
    spec: { unschedulable: true, taints: [{ key: 'a', effect: 'NoSchedule' }, {}, null, { key: 'b', value: 7 }] },
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
      pressures: [],
      kubeletVersion: 'v1.30.3',
      containerRuntimeVersion: 'cri-o://1.30.4',
      unschedulable: true,
      taints: [
        { key: 'a', value: '', effect: 'NoSchedule' },
        { key: 'b', value: '', effect: '' },
      ],
      labels: node.metadata.labels,
      currentConfig: 'rendered-infra-1',
      desiredConfig: '',
      hasMachine: true,
    },
  ]);
});

test('resources of operators are told by their path, since the files may lack their kind; only what is unmanaged is parsed', () => {
  const metadata = { name: 'cluster' };
  const resource = { metadata, spec: { managementState: 'Unmanaged' } };
  const root = 'config/clusteroperator';
  const { sheet, facts } = factsOf({
    [`${root}/operator.openshift.io/etcd/cluster.json`]: resource,
    [`${root}/operator.openshift.io/ingresscontroller/openshift-ingress-operator/default.json`]: resource,
    [`${root}/operator.openshift.io/odd/nothing.json`]: {},
    [`${root}/operator.openshift.io/odd/list.json`]: ['Unmanaged'],
    [`${root}/operator.openshift.io/odd/elsewhere.json`]: { metadata: { name: 'Unmanaged' }, spec: {} },
    [`${root}/etcd.json`]: resource,
  });
  assert.deepEqual(facts.unmanagedResources, [
    { group: 'operator.openshift.io', kind: 'etcd' },
    { group: 'operator.openshift.io', kind: 'ingresscontroller' },
  ]);
  assert.deepEqual(sheet.state('unmanagedResources').broken, [`${root}/operator.openshift.io/odd/list.json`]);
  const managed = `${root}/operator.openshift.io/etcd/cluster.json`;
  assert.deepEqual(factsOf({ [managed]: { spec: {} } }).facts.unmanagedResources, []);
  assert.equal(factsOf({ [`${root}/etcd.json`]: resource }).facts.unmanagedResources, undefined);
});

test('of disruption budgets only what allows no disruption is parsed, and what does not look whole', () => {
  const budget = (name: string, disruptionsAllowed: number) => ({
    metadata: { name, namespace: 'ns' },
    spec: { minAvailable: 1 },
    status: { disruptionsAllowed, currentHealthy: 2, expectedPods: 2 },
  });
  const { sheet, facts } = factsOf({
    'config/pdbs/ns/none.json': budget('none', 0),
    'config/pdbs/ns/some.json': budget('some', 10),
    'config/pdbs/ns/list.json': [],
  });
  assert.deepEqual(facts.blockingBudgets, [
    { namespace: 'ns', name: 'none', demand: 'minAvailable: 1', currentHealthy: 2, expectedPods: 2 },
  ]);
  assert.deepEqual(sheet.state('blockingBudgets').broken, ['config/pdbs/ns/list.json']);
  assert.deepEqual(factsOf({ 'config/pdbs/ns/some.json': budget('some', 1) }).facts.blockingBudgets, []);
  assert.equal(factsOf({}).facts.blockingBudgets, undefined);
});

test('of webhooks only those that wait for longer than the API server would, however their file is indented', () => {
  const path = 'config/mutatingwebhookconfigurations/a.json';
  const waiting = (...seconds: (number | undefined)[]) => ({
    metadata: { name: 'a' },
    webhooks: seconds.map((timeoutSeconds, index) => ({ name: `w${index}`, timeoutSeconds })),
  });
  const slow = (file: string) =>
    read(createArchiveView(new Map([[path, Buffer.from(file)]]))).facts.slowWebhooks?.map((one) => one.timeoutSeconds);
  for (const space of [undefined, 2]) {
    assert.deepEqual(slow(JSON.stringify(waiting(10, 11, 9, undefined, 30, 100), undefined, space)), [11, 30, 100]);
    assert.deepEqual(slow(JSON.stringify(waiting(10, 1, undefined), undefined, space)), []);
  }
  assert.equal(slow('{"metadata":'), undefined);
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
    'config/mutatingwebhookconfigurations/a.json': {
      metadata: { name: 'a' },
      webhooks: [{ timeoutSeconds: 20 }, { name: 'w', timeoutSeconds: 20 }, 'text'],
    },
    'config/alerts.json': [{ labels: {} }, { labels: { alertname: 'A' }, annotations: { message: 'old form' } }],
  });
  assert.equal(facts.persistentVolumes, undefined);
  assert.deepEqual(facts.slowWebhooks, [
    { kind: 'mutating', configuration: 'a', name: 'w', timeoutSeconds: 20, serviceNamespace: undefined },
  ]);
  assert.deepEqual(facts.alerts, [
    { name: 'A', namespace: '', severity: '', state: '', summary: 'old form', startsAt: '', check: '', node: '' },
  ]);
});

function alertsOf(metrics: string, files: Readonly<Record<string, string>> = {}) {
  const entries = Object.entries({ 'config/metrics': metrics, ...files });
  return read(createArchiveView(new Map(entries.map(([path, text]) => [path, Buffer.from(text)])))).facts.alerts;
}

test("where the operator gathers no alerts, Prometheus' series of them tell those that fire", () => {
  const metrics = [
    '# ALERTS 6/1000',
    '# TYPE ALERTS untyped',
    'ALERTS{alertname="EtcdDown",alertstate="firing",namespace="openshift-etcd",severity="critical"} 1 1586350000000',
    'ALERTS{alertname="TargetDown",alertstate="pending",severity="warning"} 1 1586350000000',
    'ALERTS{alertname="Watchdog",alertstate="firing",severity="none"} 1 1586350000000',
    'ALERTS{alertname="Gone",alertstate="firing",severity="critical"} 0 1586350000000',
    'ALERTS{alertstate="firing",severity="critical"} 1 1586350000000',
    'ALERTS_FOR_STATE{alertname="Other",alertstate="firing",severity="critical"} 1 1586350000000',
  ].join('\n');
  const plain = { namespace: '', state: 'active', summary: '', startsAt: '', check: '', node: '' };
  assert.deepEqual(alertsOf(metrics), [
    { ...plain, name: 'EtcdDown', namespace: 'openshift-etcd', severity: 'critical' },
    { ...plain, name: 'Watchdog', severity: 'none' },
  ]);
});

test('series of alerts count for nothing beside the list of them, even a broken one, and without any series none are known', () => {
  const metrics = 'ALERTS{alertname="EtcdDown",alertstate="firing",severity="critical"} 1';
  assert.deepEqual(alertsOf(metrics, { 'config/alerts.json': '[]' }), []);
  assert.equal(alertsOf(metrics, { 'config/alerts.json': '[' }), undefined);
  assert.equal(alertsOf('cluster_version{type="current"} 1'), undefined);
});

test('what is only gathered on vSphere is not read elsewhere', () => {
  const machine = { metadata: { name: 'm' }, status: { phase: 'Running' } };
  const machines = (platform: string) =>
    factsOf({
      'config/infrastructure.json': { status: { platformStatus: { type: platform } } },
      'config/machines/openshift-machine-api/m.json': machine,
    }).facts.vsphereMachines;
  assert.deepEqual(machines('VSphere'), [{ name: 'm', phase: 'Running' }]);
  assert.equal(machines('AWS'), undefined);
});

test('that a cluster has no monitoring configuration is known only where the operator says so', () => {
  const storage = (error: string) =>
    factsOf({
      'insights-operator/gathers.json': { status_reports: [{ name: 'clusterconfig/config_maps', errors: [error] }] },
    }).facts.prometheusStorage;
  assert.deepEqual(storage('configmaps "cluster-monitoring-config" not found'), {
    claimsVolume: false,
    podsAreEphemeral: [],
  });
  assert.equal(storage('configmaps "cluster-monitoring-config" is forbidden'), undefined);
});

test('a security context constraint that cannot be read makes the grants a partial fact', () => {
  const { sheet, facts } = factsOf({
    'config/securitycontextconstraint/anyuid.json': { metadata: { name: 'anyuid' }, users: ['a'], groups: null },
    'config/securitycontextconstraint/privileged.json': [],
    'config/clusterrolebinding/system_openshift_scc_anyuid.json': 'x',
  });
  assert.deepEqual(facts.sapGrants, { anyuid: new Set(['a']) });
  assert.deepEqual(sheet.state('sapGrants').broken, [
    'config/clusterrolebinding/system_openshift_scc_anyuid.json',
    'config/securitycontextconstraint/privileged.json',
  ]);
});

test('what is at the place of a list or a count and is none is a broken file', () => {
  const { sheet } = factsOf({ 'config/psp_names.json': { names: [] }, 'config/installplans.json': { stats: {} } });
  assert.deepEqual(sheet.state('podSecurityPolicies').broken, ['config/psp_names.json']);
  assert.deepEqual(sheet.state('installPlans').broken, ['config/installplans.json']);
});

test('a pod that is well is not parsed, whatever else its file holds; one whose file is cut off is a broken file', () => {
  const pod = (name: string, more: string) => `{"metadata":{"name":"${name}","namespace":"ns"},"status":{${more}}}`;
  const crashes = '"containerStatuses":[{"name":"c","ready":false,"restartCount": 6,"state":{"running":{}}}]';
  const paths = {
    'config/pod/ns/well.json': `${pod('well', '"containerStatuses":[{"ready":true,"restartCount":9}], no JSON')}\n`,
    'config/pod/ns/crashes.json': pod('crashes', crashes),
    'config/pod/ns/cut.json': pod('cut', '"conditions":[]').slice(0, -2),
    'config/pod/ns/other.json': '{}',
    'config/pod/ns/logs/crashes/c_current.log': 'CrashLoopBackOff',
    'config/pod/ns/logs/crashes/x.json': 'CrashLoopBackOff',
  };
  const bytes = Object.entries(paths).map(([path, body]): [string, Buffer] => [path, Buffer.from(body)]);
  const { sheet } = read(createArchiveView(new Map(bytes)));
  assert.deepEqual(
    sheet.facts.crashingPods?.map(({ name }) => name),
    ['crashes'],
  );
  assert.deepEqual(sheet.state('crashingPods').broken, ['config/pod/ns/cut.json', 'config/pod/ns/other.json']);
});

test('a certificate, a machine set or a runtime configuration of another shape is none', () => {
  const { facts, sheet } = factsOf({
    'aggregated/ingress_controllers_certs.json': { items: [] },
    'machinesets/ns/a.json': { metadata: { name: 'a' }, spec: { template: 'master' } },
    'machinesets/ns/b.json': ['master'],
    'config/containerruntimeconfigs/a.json': { metadata: { name: 'a' }, spec: 'overlaySize' },
  });
  assert.equal(facts.ingressCertificates, undefined);
  assert.deepEqual(facts.machineSets, [{ name: 'a', role: '' }]);
  assert.deepEqual(facts.containerRuntimeConfigs, [{ name: 'a', overlayBytes: undefined, poolSelector: {} }]);
  assert.deepEqual(sheet.state('machineSets').broken, ['machinesets/ns/b.json']);
  assert.deepEqual(sheet.state('ingressCertificates').broken, ['aggregated/ingress_controllers_certs.json']);
});
