/**
 * A made-up cluster that no rule finds fault with, as the files of its archive. Rule tests and the cluster simulator break it with
 * `Edit`s. It has the shape of a real one (operators, nodes, pools, registry, alerts, webhooks), not its size.
 */
import type { JsonObject, JsonValue } from '../../encoding/json-text.ts';
import { daysOfSupportLeft, END_OF_LIFE_NOTICE_DAYS, LIFE_CYCLE } from './life-cycle.ts';
import type { SampleFiles } from './sample.ts';

interface HealthyClusterOptions {
  readonly clusterId: string;
  /** When the archive was gathered. */
  readonly now: Date;
  /** Default: a patch of the newest release that is not about to reach its end of life. */
  readonly version?: string;
  /** Three and three by default. */
  readonly controlPlaneNodes?: readonly string[];
  readonly workerNodes?: readonly string[];
}

const defaultControlPlane = ['master-0.example.internal', 'master-1.example.internal', 'master-2.example.internal'];
const defaultWorkers = ['worker-0.example.internal', 'worker-1.example.internal', 'worker-2.example.internal'];

export function healthyCluster(options: HealthyClusterOptions): SampleFiles {
  const version = options.version ?? supportedVersion(options.now);
  const since = timestamp(options.now, -30);
  const workers = options.workerNodes ?? defaultWorkers;
  return {
    'config/id': options.clusterId,
    'config/version.json': clusterVersion(options.clusterId, version, since),
    'config/infrastructure.json': {
      metadata: { name: 'cluster' },
      spec: { platformSpec: { type: 'AWS' } },
      status: {
        infrastructureName: 'xxxxxxx-xxxxx',
        platform: 'AWS',
        platformStatus: { type: 'AWS' },
        controlPlaneTopology: 'HighlyAvailable',
        infrastructureTopology: 'HighlyAvailable',
      },
    },
    'config/network.json': {
      metadata: { name: 'cluster' },
      spec: { networkType: 'OVNKubernetes', clusterNetwork: [{ cidr: '10.128.0.0/14', hostPrefix: 23 }] },
      status: { networkType: 'OVNKubernetes', clusterNetworkMTU: 8901 },
    },
    'config/proxy.json': { metadata: { name: 'cluster' }, spec: { trustedCA: { name: '' } }, status: {} },
    'config/featuregate.json': { metadata: { name: 'cluster' }, spec: {} },
    'config/alerts.json': [alert('Watchdog', 'none', since), alert('InsightsRecommendationActive', 'info', since)],
    'config/silenced_alerts.json': [],
    'config/installplans.json': { items: null, stats: { TOTAL_COUNT: 0, TOTAL_NONUNIQ_COUNT: 0 } },
    'config/metrics': metrics(version),
    ...clusterOperators(version, since),
    ...operatorResources(since),
    ...nodes(options.controlPlaneNodes ?? defaultControlPlane, ['control-plane', 'master'], since),
    ...nodes(workers, ['worker'], since),
    ...machineConfigPools(since),
    'config/machineconfigs/00-master.json': { metadata: { name: '00-master' }, spec: {} },
    'config/machineconfigs/00-worker.json': { metadata: { name: '00-worker' }, spec: {} },
    ...webhooks(),
    'machinesets/openshift-machine-api/worker-a.json': machineSet('worker-a', 'worker'),
    'aggregated/ingress_controllers_certs.json': [
      ingressCertificate('router-certs-default', 'openshift-ingress', timestamp(options.now, 700)),
    ],
    ...egressIps(workers),
    ...storage(),
    ...buildRoles(),
    'config/pdbs/openshift-etcd/etcd-guard-pdb.json': {
      metadata: { name: 'etcd-guard-pdb', namespace: 'openshift-etcd' },
      spec: { minAvailable: 2 },
      status: { disruptionsAllowed: 1, currentHealthy: 3, desiredHealthy: 2, expectedPods: 3 },
    },
    'config/configmaps/openshift-insights/insights-config/config.json': { dataReporting: { interval: '2h' } },
    ...prometheusVolumes(),
    'insights-operator/gathers.json': {
      status_reports: [
        {
          name: 'clusterconfig/version',
          duration_in_ms: 11,
          records_count: 2,
          errors: null,
          warnings: null,
          panic: null,
        },
      ],
      container_memory_bytes_usage: 58_720_256,
      uptime_seconds: 86_400.5,
      is_global_obfuscation_enabled: false,
    },
    'insights-operator/remote-configuration.json': {
      version: '1.1.0',
      conditional_gathering_rules: [],
      container_logs: [],
    },
  };
}

/** A patch of the newest release whose end is not near; once the table of releases is outdated, of the one after the last in it. */
function supportedVersion(now: Date): string {
  const supported = LIFE_CYCLE.filter(
    (release) => daysOfSupportLeft(release.extended ?? release.maintenance, now) > END_OF_LIFE_NOTICE_DAYS,
  ).at(-1);
  if (supported !== undefined) return `${supported.branch}.3`;
  const [major, minor] = LIFE_CYCLE.at(-1)!.branch.split('.').map(Number);
  return `${major}.${minor! + 1}.3`;
}

/** RFC 3339 with seconds. */
function timestamp(now: Date, days: number): string {
  return `${new Date(now.getTime() + days * 86_400_000).toISOString().slice(0, 19)}Z`;
}

function clusterVersion(clusterId: string, version: string, since: string): JsonObject {
  return {
    metadata: { name: 'version' },
    spec: { clusterID: clusterId, channel: `stable-${version.split('.').slice(0, 2).join('.')}` },
    status: {
      desired: { version },
      history: [{ state: 'Completed', startedTime: since, completionTime: since, version, verified: true }],
      conditions: [
        condition('Available', 'True', since, '', `Done applying ${version}`),
        condition('Failing', 'False', since),
        condition('Progressing', 'False', since, '', `Cluster version is ${version}`),
      ],
      availableUpdates: null,
    },
  };
}

const operatorNames = [
  'authentication',
  'baremetal',
  'cloud-controller-manager',
  'cloud-credential',
  'cluster-autoscaler',
  'config-operator',
  'console',
  'control-plane-machine-set',
  'csi-snapshot-controller',
  'dns',
  'etcd',
  'image-registry',
  'ingress',
  'insights',
  'kube-apiserver',
  'kube-controller-manager',
  'kube-scheduler',
  'kube-storage-version-migrator',
  'machine-api',
  'machine-approver',
  'machine-config',
  'marketplace',
  'monitoring',
  'network',
  'node-tuning',
  'openshift-apiserver',
  'openshift-controller-manager',
  'openshift-samples',
  'operator-lifecycle-manager',
  'service-ca',
  'storage',
];

function clusterOperators(version: string, since: string): SampleFiles {
  const operator = (name: string): JsonObject => ({
    kind: 'ClusterOperator',
    apiVersion: 'config.openshift.io/v1',
    metadata: { name },
    spec: {},
    status: {
      conditions: [
        condition('Available', 'True', since, 'AsExpected', 'All is well'),
        condition('Progressing', 'False', since, 'AsExpected'),
        condition('Degraded', 'False', since, 'AsExpected'),
        condition('Upgradeable', 'True', since, 'AsExpected'),
      ],
      versions: [{ name: 'operator', version }],
    },
  });
  return Object.fromEntries(operatorNames.map((name) => [`config/clusteroperator/${name}.json`, operator(name)]));
}

function operatorResources(since: string): SampleFiles {
  const managed = ['authentication', 'console', 'etcd', 'kubeapiserver', 'kubescheduler', 'network', 'storage'];
  const resources = managed.map((kind): [string, JsonValue] => [
    `config/clusteroperator/operator.openshift.io/${kind}/cluster.json`,
    { metadata: { name: 'cluster' }, spec: { managementState: 'Managed', logLevel: 'Normal' }, status: {} },
  ]);
  return {
    ...Object.fromEntries(resources),
    'config/clusteroperator/imageregistry.operator.openshift.io/config/cluster.json': {
      metadata: { name: 'cluster' },
      spec: {
        managementState: 'Managed',
        storage: { s3: { bucket: 'xxxxxxxxxx', region: 'xxxxxxxxx', encrypt: true }, managementState: 'Managed' },
        replicas: 2,
      },
      status: {
        conditions: [
          condition('StorageExists', 'True', since, 'S3 Bucket Exists'),
          condition('Available', 'True', since, 'Ready', 'The registry is ready'),
          condition('Degraded', 'False', since),
        ],
      },
    },
  };
}

function nodes(names: readonly string[], roles: readonly string[], since: string): SampleFiles {
  return Object.fromEntries(names.map((name) => [`config/node/${name}.json`, sampleNode(name, roles, since)]));
}

/** A node large enough for any role. Samples make nodes of other sizes and roles from it. */
export function sampleNode(name: string, roles: readonly string[], since: string): JsonObject {
  const roleLabels = Object.fromEntries(roles.map((role) => [`node-role.kubernetes.io/${role}`, '']));
  return {
    metadata: { name, labels: { 'kubernetes.io/hostname': name, 'kubernetes.io/os': 'linux', ...roleLabels } },
    spec: {},
    status: {
      capacity: { cpu: '8', memory: '32863404Ki', pods: '250' },
      conditions: [condition('Ready', 'True', since, 'KubeletReady', 'kubelet is posting ready status')],
      nodeInfo: {
        kubeletVersion: 'v1.33.5',
        containerRuntimeVersion: 'cri-o://1.33.4',
        osImage: 'Red Hat Enterprise Linux CoreOS',
      },
    },
  };
}

function machineConfigPools(since: string): SampleFiles {
  const pool = (name: string): JsonObject => ({
    metadata: { name, labels: { [`pools.operator.machineconfiguration.openshift.io/${name}`]: '' } },
    spec: { paused: false, nodeSelector: { matchLabels: { [`node-role.kubernetes.io/${name}`]: '' } } },
    status: {
      conditions: [
        condition('Degraded', 'False', since),
        condition('Updated', 'True', since),
        condition('Updating', 'False', since),
      ],
    },
  });
  return Object.fromEntries(['master', 'worker'].map((name) => [`config/machineconfigpools/${name}.json`, pool(name)]));
}

/** A volume for each pod of the platform's Prometheus, and the configuration that asks for them. */
function prometheusVolumes(): SampleFiles {
  const volume = (index: number): [string, JsonValue] => [
    `config/persistentvolumes/pvc-prometheus-${index}.json`,
    {
      metadata: { name: `pvc-prometheus-${index}` },
      spec: { claimRef: { namespace: 'openshift-monitoring', name: `prometheus-k8s-db-prometheus-k8s-${index}` } },
      status: { phase: 'Bound' },
    },
  ];
  return {
    'config/configmaps/openshift-monitoring/cluster-monitoring-config/config.json': {
      prometheusK8s: { volumeClaimTemplate: { spec: { resources: { requests: { storage: '40Gi' } } } } },
    },
    ...Object.fromEntries([0, 1].map(volume)),
  };
}

/** Slow ones of the platform are not the owner's to change; a third party's is quick. */
function webhooks(): SampleFiles {
  return {
    'config/validatingwebhookconfigurations/multus.openshift.io.json': sampleWebhook(
      'multus.openshift.io',
      'openshift-multus',
      30,
    ),
    'config/mutatingwebhookconfigurations/policy-agent.json': sampleWebhook('policy-agent', 'policy-agent', 10),
  };
}

/** What OpenShift SDN left behind when the cluster moved to another network plug-in: an egress IP of one namespace, hosted by one node. */
function egressIps(workers: readonly string[]): SampleFiles {
  const hosts = workers.slice(0, 2);
  return {
    'config/netnamespaces.json': [
      { name: 'default', egressIPs: null, netID: 0 },
      { name: 'shop', egressIPs: ['10.0.0.200'], netID: 5_920_059 },
    ],
    ...Object.fromEntries(
      hosts.map((host, index): [string, JsonValue] => [
        `config/hostsubnet/${host}.json`,
        {
          metadata: { name: host },
          host,
          hostIP: `10.0.0.${10 + index}`,
          egressIPs: index === 0 ? ['10.0.0.200'] : [],
        },
      ]),
    ),
  };
}

/** A Ceph cluster, of which the operator gathers the status alone. */
function storage(): SampleFiles {
  return {
    'config/storage/openshift-storage/cephclusters/ocs-storagecluster-cephcluster.json': {
      phase: 'Ready',
      state: 'Created',
      ceph: { health: 'HEALTH_OK' },
    },
  };
}

/** The part of the roles of project administrators and editors that is about builds, as it comes with a cluster. */
function buildRoles(): SampleFiles {
  const role = (name: string): JsonObject => ({
    metadata: { name },
    rules: [
      {
        verbs: ['create', 'get', 'list'],
        apiGroups: ['', 'build.openshift.io'],
        resources: ['buildconfigs', 'builds'],
      },
      { verbs: ['get', 'list', 'watch'], apiGroups: ['', 'build.openshift.io'], resources: ['builds/log'] },
    ],
  });
  const path = (name: string) => `cluster-scoped-resources/rbac.authorization.k8s.io/clusterroles/${name}.json`;
  return Object.fromEntries(['admin', 'edit'].map((name) => [path(name), role(name)]));
}

/** A webhook configuration with one webhook that a service in that namespace answers. */
export function sampleWebhook(configuration: string, namespace: string, timeoutSeconds: number): JsonObject {
  return {
    metadata: { name: configuration },
    webhooks: [
      {
        name: `check.${configuration}`,
        clientConfig: { service: { namespace, name: configuration, path: '/check', port: 443 } },
        failurePolicy: 'Fail',
        timeoutSeconds,
      },
    ],
  };
}

/** A machine set whose machines have that role. */
export function machineSet(name: string, role: string): JsonObject {
  const label = (what: string) => `machine.openshift.io/cluster-api-${what}`;
  return {
    metadata: { name, namespace: 'openshift-machine-api' },
    spec: {
      replicas: 3,
      selector: { matchLabels: { [label('machineset')]: name } },
      template: { metadata: { labels: { [label('machine-role')]: role, [label('machine-type')]: role } }, spec: {} },
    },
    status: { replicas: 3 },
  };
}

/** A certificate as the operator lists those of ingress controllers. */
export function ingressCertificate(name: string, namespace: string, notAfter: string): JsonObject {
  return {
    name,
    namespace,
    not_before: '2019-01-01T00:00:00Z',
    not_after: notAfter,
    controllers: [{ name: 'default', namespace: 'openshift-ingress-operator' }],
  };
}

/** An alert as Alertmanager lists it. */
export function alert(name: string, severity: string, startsAt: string, extra: JsonObject = {}): JsonObject {
  return {
    labels: { alertname: name, severity, namespace: 'openshift-monitoring' },
    annotations: { summary: `${name} is firing` },
    startsAt,
    status: { state: 'active', silencedBy: [], inhibitedBy: [] },
    ...extra,
  };
}

function condition(type: string, status: string, since: string, reason = '', message = ''): JsonObject {
  return {
    type,
    status,
    lastTransitionTime: since,
    ...(reason === '' ? {} : { reason }),
    ...(message === '' ? {} : { message }),
  };
}

function metrics(version: string): string {
  return [
    '# TYPE cluster_installer untyped',
    'cluster_installer{type="openshift-install"} 1',
    '# TYPE cluster_version untyped',
    `cluster_version{type="current",version="${version}"} 1`,
    '# TYPE haproxy_exporter_server_threshold untyped',
    ...routerServersSeries('router-default-1', 20, 500),
    '# TYPE etcd_server_slow_apply_total untyped',
    ...[0, 1, 2].map((index) => etcdSeries(`etcd-master-${index}`, 20 + index)),
    '',
  ].join('\n');
}

/** How many slow applies a member of etcd counts, as a line of `config/metrics`. */
export function etcdSeries(pod: string, count: number | string): string {
  return `etcd_server_slow_apply_total{endpoint="etcd-metrics",namespace="openshift-etcd",pod="${pod}"} ${count} 1763740800000`;
}

/** What a router pod says of its servers, as lines of `config/metrics`. */
export function routerServersSeries(pod: string, current: number | string, limit: number | string): string[] {
  return Object.entries({ current, limit }).map(
    ([type, value]) =>
      `haproxy_exporter_server_threshold{container="router",namespace="openshift-ingress",pod="${pod}",type="${type}"} ${value} 1763740800000`,
  );
}
