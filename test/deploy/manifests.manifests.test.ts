/** What `deploy/` holds fits its schemas, and what it says of our programs is true of them; a planted error is caught. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, describe, test } from 'node:test';
import { parse, parseAllDocuments } from 'yaml';
import { repositoryRoot } from '../../scripts/docs/source-tree.ts';
import { loadConfig } from '../../src/platform/config/load-config.ts';
import { readPack } from '../../src/rules/packs/read-pack.ts';
import { resultsOptions } from '../../src/services/results-api/config.ts';
import { hadolint, kustomize, validateCompose, validateKubernetes } from '../support/manifest-checkers.ts';

const deploy = join(repositoryRoot, 'deploy');
const scratch = mkdtempSync(join(tmpdir(), 'ccx-manifests-'));
after(() => rmSync(scratch, { recursive: true, force: true }));

function scratchFile(name: string, text: string): string {
  const path = join(scratch, name);
  writeFileSync(path, text);
  return path;
}

/** What was read from YAML and is held against a schema elsewhere. */
type Parsed = ReturnType<typeof JSON.parse>;

interface Container {
  readonly args: readonly string[];
  readonly env?: readonly { readonly name: string }[];
  readonly ports?: readonly { readonly name: string; readonly containerPort: number }[];
  readonly securityContext: Readonly<Record<string, unknown>>;
  readonly [probe: `${string}Probe`]: { readonly httpGet: { readonly port: string } };
}

interface Resource {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly spec: Record<string, Parsed>;
  readonly data?: Readonly<Record<string, string>>;
}

const resourcesOf = (text: string) => parseAllDocuments(text).map((document) => document.toJS() as Resource);

const podOf = ({ kind, spec }: Resource) =>
  kind === 'CronJob'
    ? spec['jobTemplate'].spec.template
    : ['Deployment', 'StatefulSet'].includes(kind)
      ? spec['template']
      : undefined;

const overlays = ['all-in-one', 'roles', 'one-shot', 'openshift/all-in-one', 'openshift/roles', 'monitoring'];
/** Kinds of operators, whose schemas nobody brings along. */
const unchecked = ['Route', 'PodMonitor', 'PrometheusRule'];

describe('deploy/kubernetes', () => {
  for (const overlay of overlays) {
    const text = kustomize(join(deploy, 'kubernetes', overlay));
    const resources = resourcesOf(text);

    test(`${overlay} fits the schemas of Kubernetes`, () => {
      const { code, output } = validateKubernetes(scratchFile(`${overlay.replace('/', '-')}.yaml`, text));
      assert.equal(code, 0, output);
      const unknown = [...output.matchAll(/Couldn't find schema for kind (\w+)/g)].map(([, kind]) => kind);
      assert.deepEqual(
        unknown.filter((kind) => !unchecked.includes(kind!)),
        [],
      );
    });

    test(`${overlay} holds together: names that it speaks of are there`, () => {
      const pods = resources.filter((resource) => podOf(resource) !== undefined);
      const labelled = (labels: Readonly<Record<string, string>>) =>
        pods.some((pod) => Object.entries(labels).every(([name, value]) => podOf(pod).metadata.labels[name] === value));
      for (const { kind, metadata, spec } of resources) {
        const where = `${kind} ${metadata.name}`;
        if (kind === 'Service') assert.ok(labelled(spec['selector']), where);
        if (kind === 'PodDisruptionBudget') assert.ok(labelled(spec['selector'].matchLabels), where);
        if (kind === 'NetworkPolicy') assert.ok(labelled(spec['podSelector'].matchLabels ?? {}), where);
        if (kind === 'HorizontalPodAutoscaler')
          assert.ok(
            pods.some((pod) => pod.metadata.name === spec['scaleTargetRef'].name),
            where,
          );
        if (kind === 'Route')
          assert.ok(
            resources.some((other) => other.kind === 'Service' && other.metadata.name === spec['to'].name),
            where,
          );
      }
    });

    test(`${overlay}: pods run as no root, on a file system that is only read, and their probes ask ports that are there`, () => {
      for (const resource of resources.filter((candidate) => podOf(candidate) !== undefined)) {
        const { spec } = podOf(resource);
        assert.equal(spec.securityContext.runAsNonRoot, true, resource.metadata.name);
        for (const container of spec.containers as readonly Container[]) {
          assert.deepEqual(container.securityContext, {
            allowPrivilegeEscalation: false,
            readOnlyRootFilesystem: true,
            capabilities: { drop: ['ALL'] },
          });
          const probes = Object.entries(container).filter(([name]) => name.endsWith('Probe'));
          assert.equal(probes.length, resource.kind === 'CronJob' ? 0 : 3, resource.metadata.name);
          for (const [, probe] of probes)
            assert.ok(
              container.ports!.some(({ name }) => name === probe.httpGet.port),
              resource.metadata.name,
            );
        }
      }
    });
  }

  test('a word that Kubernetes does not know, and a value of another type, are caught', () => {
    const text = kustomize(join(deploy, 'kubernetes/roles'));
    for (const [right, wrong] of [
      ['readOnlyRootFilesystem: true', 'readOnlyRootFileSystem: true'],
      ['maxReplicas: 3', 'maxReplicas: three'],
    ] as const) {
      assert.ok(text.includes(right));
      const { code, output } = validateKubernetes(scratchFile('wrong.yaml', text.replace(right, wrong)));
      assert.notEqual(code, 0, output);
    }
  });
});

describe('deploy/acm', () => {
  const resources = resourcesOf(kustomize(join(deploy, 'acm')));
  const named = (kind: string) => resources.find((resource) => resource.kind === kind)!;
  const configMapOf = (policy: Resource) =>
    policy.spec['policy-templates'][0].objectDefinition.spec['object-templates'][0].objectDefinition as Resource;

  test('what the policy makes on a cluster fits the schemas of Kubernetes; a planted error is caught', () => {
    const configMap = configMapOf(named('Policy'));
    const right = validateKubernetes(scratchFile('acm.json', JSON.stringify(configMap)));
    assert.equal(right.code, 0, right.output);
    const wrong = scratchFile('acm-wrong.json', JSON.stringify({ ...configMap, data: { 'config.yaml': 7 } }));
    assert.notEqual(validateKubernetes(wrong).code, 0);
  });

  test('it is the ConfigMap of docs/operator.md, for a host with TLS', () => {
    const operatorPage = readFileSync(join(repositoryRoot, 'docs/operator.md'), 'utf8');
    const ofPage = parse(/```yaml\n(.*?)\n```/s.exec(operatorPage)?.[1] ?? '') as Resource;
    const settings = (configMap: Resource) => parse(configMap.data!['config.yaml']!) as unknown;
    const atHost = (text: string) => text.replaceAll('http://THIS-HOST:3000', 'https://CCX-HOST');
    const configMap = configMapOf(named('Policy'));
    assert.deepEqual(settings(configMap), JSON.parse(atHost(JSON.stringify(settings(ofPage)))));
    assert.deepEqual(configMap.metadata, ofPage.metadata);
  });

  test('policy, placement and what binds them name each other, in one namespace', () => {
    const binding = named('PlacementBinding') as Resource & { placementRef: Parsed; subjects: readonly Parsed[] };
    assert.equal(binding.placementRef.name, named('Placement').metadata.name);
    assert.deepEqual(
      binding.subjects.map(({ kind, name }) => [kind, name]),
      [['Policy', named('Policy').metadata.name]],
    );
    const namespace = named('Namespace').metadata.name;
    for (const { kind, metadata } of resources.filter((resource) => resource.kind !== 'Namespace'))
      assert.equal(metadata.namespace, namespace, kind);
    assert.deepEqual(named('Placement').spec['clusterSets'], [named('ManagedClusterSetBinding').spec['clusterSet']]);
    const { remediationAction } = named('Policy').spec['policy-templates'][0].objectDefinition.spec;
    assert.equal(remediationAction, named('Policy').spec['remediationAction']);
  });
});

/** Environment names of every role, from the generated page, and those that a manifest sets for itself. */
const page = readFileSync(join(repositoryRoot, 'docs/configuration.md'), 'utf8');
const known = new Set(page.match(/\b(?:CCX|INGRESS)_\w+/g));
const others = new Set(['KAFKA_BROKERS', 'CCX_DATABASE_URL', 'NODE_EXTRA_CA_CERTS']);

function unknownNames(names: readonly string[]): string[] {
  return names.filter((name) => !known.has(name) && !others.has(name));
}

test('settings in manifests are settings that there are', () => {
  for (const overlay of overlays) {
    for (const resource of resourcesOf(kustomize(join(deploy, 'kubernetes', overlay)))) {
      const inPods = (podOf(resource)?.spec.containers ?? []).flatMap(({ env = [] }: Container) => env);
      const names = [...inPods.map(({ name }: { readonly name: string }) => name), ...Object.keys(resource.data ?? {})];
      assert.deepEqual(unknownNames(names), [], `${overlay}: ${resource.metadata.name}`);
    }
  }
  const { services } = parse(readFileSync(join(deploy, 'compose.yaml'), 'utf8'), { merge: true });
  for (const [name, { image, environment = {} }] of Object.entries<Record<string, Parsed>>(services)) {
    if (image.startsWith('localhost/')) assert.deepEqual(unknownNames(Object.keys(environment)), [], name);
  }
  assert.deepEqual(
    unknownNames(
      Object.values<Parsed>(rulePackServices()).flatMap(({ environment }) => Object.keys(environment as object)),
    ),
    [],
  );
  const clowdApp = readFileSync(join(deploy, 'kubernetes/clowdapp.yaml'), 'utf8');
  const named = [...clowdApp.matchAll(/\{ name: ((?:CCX|INGRESS)_\w+),/g)].map(([, name = '']) => name);
  assert.ok(named.length > 5);
  assert.deepEqual(unknownNames(named), []);
  assert.deepEqual(unknownNames(['CCX_NOTIFICATION_WRITER__METRICS__ADRESS']).length, 1, 'a planted error is caught');
});

test('the data pipeline fetches by key from the bucket that ingress keeps archives in', () => {
  const settings = resourcesOf(kustomize(join(deploy, 'kubernetes/roles'))).find(({ kind }) => kind === 'ConfigMap');
  const { services, configs } = parse(readFileSync(join(deploy, 'compose.yaml'), 'utf8'), { merge: true });
  for (const environment of [
    settings!.data!,
    { ...services.ingress.environment, ...services['data-pipeline'].environment },
  ]) {
    assert.equal(environment.CCX_DATA_PIPELINE__S3__BUCKET, environment.INGRESS_STAGEBUCKET);
    assert.equal(environment.CCX_DATA_PIPELINE__S3__ENDPOINT, environment.INGRESS_MINIOENDPOINT);
    assert.match(environment.CCX_DATA_PIPELINE__S3__BUCKET, /./);
  }
  const { identities } = JSON.parse(configs.s3.content) as { identities: readonly Parsed[] };
  const { environment } = services['data-pipeline'];
  const reader = identities.find(({ name }) => name === 'ccx-reader');
  assert.deepEqual(reader.credentials, [
    {
      accessKey: environment.CCX_DATA_PIPELINE__S3__ACCESS_KEY,
      secretKey: environment.CCX_DATA_PIPELINE__S3__SECRET_KEY,
    },
  ]);
  assert.deepEqual(reader.actions, ['Read:ccx-archives', 'List:ccx-archives']);
});

test('results answers on the one host of all Routes, by paths of its own, and ingress has the others', () => {
  const resources = resourcesOf(kustomize(join(deploy, 'kubernetes/openshift/roles')));
  const routes = resources.filter(({ kind }) => kind === 'Route').map(({ spec }) => spec);
  assert.deepEqual([...new Set(routes.map(({ host }) => host))], ['CCX-HOST']);
  const paths = Object.fromEntries(routes.map(({ path = '/', to }) => [path, to.name]));
  const own = ['insights-results-aggregator', 'v2', 'gathering', 'accounts_mgmt'].map((name) => [
    `/api/${name}`,
    'ccx-results',
  ]);
  assert.deepEqual(paths, { '/': 'ccx-ingress', ...Object.fromEntries(own) });
  const service = readFileSync(join(repositoryRoot, 'src/services/results-api/service.ts'), 'utf8');
  const gathering = readFileSync(
    join(repositoryRoot, 'src/services/results-api/gathering/gathering-routes.ts'),
    'utf8',
  );
  const prefixes = [...`${service}${gathering}`.matchAll(/'(\/api\/[\w-]+)(?:\/v1|\/v2)?'/g)].map(([, path]) => path);
  assert.deepEqual([...new Set(prefixes)].sort(), own.map(([path]) => path).sort(), 'below these it answers');
});

test('results is asked, probed and scraped on the ports that it listens on by default', () => {
  const { config } = loadConfig(resultsOptions, { env: {} });
  const ports = { answers: config['http.port'], metrics: config['operations.port'] };
  const resources = resourcesOf(kustomize(join(deploy, 'kubernetes/roles')));
  const deployment = resources.find(({ kind, metadata }) => kind === 'Deployment' && metadata.name === 'ccx-results');
  const [container] = podOf(deployment!).spec.containers as readonly [Container];
  assert.deepEqual(Object.fromEntries(container.ports!.map(({ name, containerPort }) => [name, containerPort])), ports);
  const { services } = parse(readFileSync(join(deploy, 'compose.yaml'), 'utf8'), { merge: true });
  assert.deepEqual(services.results.ports, [`127.0.0.1:${ports.answers}:${ports.answers}`]);
  const { scrape_configs } = parse(readFileSync(join(deploy, 'prometheus/prometheus.yaml'), 'utf8'));
  const scraped = scrape_configs.map((job: Parsed) => [job.job_name, job.static_configs[0].targets[0]]);
  const roles = Object.entries<Parsed>(services).filter(([, { read_only }]) => read_only === true);
  assert.deepEqual(scraped.map(([job]: string[]) => job).sort(), roles.map(([name]) => `ccx-${name}`).sort());
  assert.ok(scraped.some(([, target]: string[]) => target === `results:${ports.metrics}`));
});

test('ingress and results go by one table of tokens, and results by a user of the database that is its own', () => {
  const resources = resourcesOf(kustomize(join(deploy, 'kubernetes/roles')));
  const { data = {} } = resources.find(({ kind }) => kind === 'ConfigMap')!;
  const file = data['CCX_INGRESS__GATEWAY__TOKENS_FILE']!;
  assert.equal(data['CCX_RESULTS__GATEWAY__TOKENS_FILE'], file);
  for (const resource of resources.filter(({ kind }) => kind === 'Deployment')) {
    const { containers, volumes } = podOf(resource).spec;
    const secrets = containers[0].envFrom.flatMap(({ secretRef }: Parsed) => secretRef?.name ?? []);
    const isResults = resource.metadata.name === 'ccx-results';
    assert.deepEqual(secrets, [isResults ? 'ccx-results-secrets' : 'ccx-secrets'], resource.metadata.name);
    const mount = containers[0].volumeMounts.find(({ mountPath }: Parsed) => mountPath === dirname(file));
    const volume = volumes.find(({ name }: Parsed) => name === mount?.name);
    const mayRead = isResults || resource.metadata.name === 'ccx-ingress';
    assert.equal(volume?.secret.secretName, mayRead ? 'ccx-tokens' : undefined, resource.metadata.name);
  }
  const { services, configs } = parse(readFileSync(join(deploy, 'compose.yaml'), 'utf8'), { merge: true });
  for (const [name, key] of [
    ['ingress', 'CCX_INGRESS__GATEWAY__TOKENS_FILE'],
    ['results', 'CCX_RESULTS__GATEWAY__TOKENS_FILE'],
  ] as const)
    assert.equal(
      services[name].configs.find(({ source }: Parsed) => source === 'tokens').target,
      services[name].environment[key],
    );
  const [token] = (JSON.parse(configs.tokens.content) as Parsed).tokens;
  assert.equal(token.sha256, createHash('sha256').update('to-look-at').digest('hex'));
  const page = readFileSync(join(repositoryRoot, 'docs/deploy.md'), 'utf8');
  assert.match(page, /CCX_SIMULATE_TOKEN=to-look-at/);
  const { username } = new URL(services.results.environment.CCX_DATABASE_URL);
  assert.match(configs['results-user'].content, new RegExp(`^CREATE ROLE ${username} LOGIN `));
  assert.ok(services['results-user'].command.includes(username));
});

/** Of the file that is laid over compose.yaml. */
function rulePackServices(): Parsed {
  return parse(readFileSync(join(deploy, 'compose.rule-pack.yaml'), 'utf8'), { merge: true }).services;
}

/** By which a role is told of packs; the content service, which has them, too, is in no manifest. */
const packSettings: Readonly<Record<string, string>> = {
  'data-pipeline': 'CCX_DATA_PIPELINE__RULES__PACKS',
  notifier: 'CCX_NOTIFICATION_SERVICE__RULES__PACKS',
  results: 'CCX_RESULTS__RULES__PACKS',
};

describe('rule packs', () => {
  test('compose mounts one where each role that has packs is told to look', () => {
    const file = join(deploy, 'compose.rule-pack.yaml');
    const { code, output } = validateCompose(file);
    assert.equal(code, 0, output);
    const services = rulePackServices();
    assert.deepEqual(Object.keys(services), Object.keys(packSettings));
    for (const [name, { environment, volumes }] of Object.entries<Parsed>(services)) {
      const [, target] = /\}:(.*?):ro,z$/.exec(volumes[0]) ?? [];
      assert.deepEqual(environment, { [packSettings[name]!]: target }, name);
    }
  });

  test('the component mounts one as each of these roles reads it, without a fault and without a warning', async () => {
    const folder = join(scratch, 'with-packs');
    cpSync(join(deploy, 'kubernetes'), folder, { recursive: true });
    const packs = join(folder, 'rule-packs');
    const example = join(repositoryRoot, 'examples/packs/hygiene');
    mkdirSync(join(packs, 'rules'));
    copyFileSync(join(example, 'pack.yaml'), join(packs, 'pack.yaml'));
    copyFileSync(join(example, 'rules/proxy_not_ours.yaml'), join(packs, 'rules/without_our_proxy.yaml'));
    const workloadsOf: Readonly<Record<string, Readonly<Record<string, string>>>> = {
      roles: { 'ccx-data-pipeline': 'data-pipeline', 'ccx-notifier': 'notifier', 'ccx-results': 'results' },
      'one-shot': { 'ccx-data-pipeline': 'data-pipeline', 'ccx-notifier-once': 'notifier', 'ccx-results': 'results' },
    };
    for (const [overlay, workloads] of Object.entries(workloadsOf)) {
      const kustomization = join(folder, overlay, 'kustomization.yaml');
      const text = readFileSync(kustomization, 'utf8');
      assert.match(text, /^# components: /m);
      writeFileSync(kustomization, text.replace('# components: ', 'components: '));
      const built = kustomize(join(folder, overlay));
      writeFileSync(kustomization, text);
      const { code, output } = validateKubernetes(scratchFile('with-packs.yaml', built));
      assert.equal(code, 0, output);
      const resources = resourcesOf(built);
      const settings = resources.find(({ metadata }) => metadata.name === 'ccx-settings')!.data!;
      const pack = resources.find(({ metadata }) => metadata.name.startsWith('ccx-rule-packs-'))!;
      const volumeOf = (resource: Resource) =>
        podOf(resource)?.spec.volumes?.find(({ name }: Parsed) => name === 'rule-packs');
      const mounted = resources.filter((resource) => volumeOf(resource) !== undefined);
      assert.deepEqual(mounted.map(({ metadata }) => metadata.name).sort(), Object.keys(workloads).sort());
      for (const resource of mounted) {
        const { name } = resource.metadata;
        const { configMap } = volumeOf(resource);
        assert.equal(configMap.name, pack.metadata.name);
        const [{ volumeMounts }] = podOf(resource).spec.containers;
        const { mountPath } = volumeMounts.find((mount: Parsed) => mount.name === 'rule-packs');
        const own = settings[packSettings[workloads[name]!]!]!;
        assert.ok(own.startsWith(`${mountPath}/`));
        const volume = mountedAsKubernetesDoes(join(scratch, overlay, name), configMap.items, pack.data!);
        const read = await readPack(join(volume, own.slice(mountPath.length)), { impacts: ['Compliance Error'] });
        assert.deepEqual([read.faults, read.warnings, read.pack?.rules.length], [[], [], 1], name);
      }
    }
  });
});

/** Files in a folder of their moment, links beside it that lead there, and everybody may write the volume itself. */
function mountedAsKubernetesDoes(
  folder: string,
  items: readonly { readonly key: string; readonly path: string }[],
  data: Readonly<Record<string, string>>,
): string {
  const moment = '..2026_11_27_03_00_00.1';
  for (const { key, path } of items) {
    mkdirSync(join(folder, moment, dirname(path)), { recursive: true });
    writeFileSync(join(folder, moment, path), data[key]!);
  }
  symlinkSync(moment, join(folder, '..data'));
  for (const name of new Set(items.map(({ path }) => path.split('/')[0]!)))
    symlinkSync(`..data/${name}`, join(folder, name));
  return folder;
}

describe('deploy/compose.yaml', () => {
  const file = join(deploy, 'compose.yaml');

  test('fits the schema of compose files; a planted error is caught', () => {
    const { code, output } = validateCompose(file);
    assert.equal(code, 0, output);
    const wrong = readFileSync(file, 'utf8').replace('cap_drop: [ALL]', 'cap_dropped: [ALL]');
    assert.notEqual(validateCompose(scratchFile('compose.yaml', wrong)).code, 0);
  });

  test('names services, volumes and files that are there', () => {
    const { services, volumes, configs } = parse(readFileSync(file, 'utf8'), { merge: true });
    for (const [name, service] of Object.entries<Record<string, Parsed>>(services)) {
      const needed = Array.isArray(service['depends_on'])
        ? service['depends_on']
        : Object.keys(service['depends_on'] ?? {});
      for (const other of needed) assert.ok(other in services, `${name} waits for ${other}`);
      for (const { source } of service['configs'] ?? []) assert.ok(source in configs, `${name} has ${source}`);
      for (const volume of service['volumes'] ?? []) {
        const [source] = volume.split(':');
        if (source.startsWith('./')) assert.ok(readdirSync(join(deploy, source)).length > 0, `${name} has ${source}`);
        else assert.ok(source in volumes, `${name} has ${source}`);
      }
    }
    for (const { file: path } of Object.values<{ readonly file?: string }>(configs))
      if (path !== undefined) assert.ok(readFileSync(join(deploy, path), 'utf8').length > 0);
  });
});

test('the Dockerfile is in order for hadolint; a planted error is caught', () => {
  const { code, output } = hadolint(join(deploy, 'Dockerfile'));
  assert.equal(code, 0, output);
  const wrong = readFileSync(join(deploy, 'Dockerfile'), 'utf8').replace('USER 1001:0', 'USER root');
  assert.notEqual(hadolint(scratchFile('Dockerfile', wrong)).code, 0);
});
