/** Changes to the files of an archive: values of other types and sizes, texts that are no JSON, resources where others belong, odd paths. */
import type { JsonValue } from '../../../src/encoding/json-text.ts';
import type { Chance } from '../seeded.ts';

type Files = Map<string, Buffer>;

/** Changes the files, and says what it did. */
export function fuzzFiles(files: Files, chance: Chance): string {
  const deed = chance.pick(deeds);
  return deed(files, chance);
}

/** Values inside of files are what rules read, so that they come most often; what is large costs time, and comes seldom. */
const deeds: readonly ((files: Files, chance: Chance) => string)[] = [
  ...[changeValue, changeValue, changeValue, changeValue, changeValue, changeValue, changeValue, changeValue],
  ...[changeText, changeText, changeText, moveFile, moveFile, removeFiles, multiplyFile, changeLines],
  growFile,
];

function anyPath(files: Files, chance: Chance): string {
  return chance.pick([...files.keys()]);
}

/** One value of a JSON file becomes something else, is gone, or is there many times. */
function changeValue(files: Files, chance: Chance): string {
  const paths = [...files.keys()].filter((path) => path.endsWith('.json'));
  if (paths.length === 0) return 'no JSON is left';
  const path = chance.pick(paths);
  const document = parsed(files.get(path)!);
  if (document === undefined) return `${path} is no JSON any more`;
  const steps: (string | number)[] = [];
  const changed = changeWithin(document, chance, steps);
  files.set(path, Buffer.from(JSON.stringify(changed) ?? 'null'));
  return `${path}: ${steps.join('.').slice(0, 200)}`;
}

function parsed(bytes: Buffer): JsonValue | undefined {
  try {
    return JSON.parse(bytes.toString('utf8')) as JsonValue;
  } catch {
    return undefined;
  }
}

const descendShare = 0.8;

function changeWithin(value: JsonValue, chance: Chance, steps: (string | number)[]): JsonValue {
  const isContainer = typeof value === 'object' && value !== null;
  const members = isContainer ? Object.keys(value) : [];
  if (members.length === 0 || chance.next() > descendShare) {
    steps.push('=');
    return oddValue(value, chance);
  }
  const member = chance.pick(members);
  steps.push(member);
  if (Array.isArray(value)) {
    const list = [...(value as readonly JsonValue[])];
    const index = Number(member);
    const how = chance.below(10);
    if (how === 0) list.splice(index, 1);
    else if (how === 1) list.push(...Array.from({ length: chance.pick([1, 10, 500]) }, () => list[index]!));
    else list[index] = changeWithin(list[index]!, chance, steps);
    return list;
  }
  const entries = Object.entries(value as Record<string, JsonValue>);
  const how = chance.below(10);
  // From entries, so that `__proto__` is a member like any other.
  return Object.fromEntries(
    entries.flatMap(([name, own]): [string, JsonValue][] => {
      if (name !== member) return [[name, own]];
      if (how === 0) return [];
      if (how === 1) return [[chance.pick(oddNames), own]];
      return [[name, changeWithin(own, chance, steps)]];
    }),
  );
}

const oddNames = [
  '__proto__',
  'constructor',
  'toString',
  'length',
  '',
  ' ',
  'a\u0000b',
  '\ud800',
  '0',
  'x'.repeat(5_000),
];

const oddTexts = [
  ...['', ' ', 'True', 'False', 'Unknown', 'null', '0', '-1', 'NaN', 'a\u0000b', '\ud800', '\udc00\ud800', '\ufeff'],
  ...['<script>', '{{=1}}', '#{x}', '`', '*'.repeat(50), '[a](http://b)', "'; DROP TABLE x; --", '\u202e'],
  '😀'.repeat(900),
  ...['4.17.3', '4.2.0', '4', '4.99999.0', '999999.0.0', '4.3.8-rc.1+x', 'v4.7.0', '4.17.0-okd-scos.1'],
  `4.1.${'1'.repeat(300)}`,
  ...['8', '7500m', '16409932Ki', '1e400Ki', '-5Gi', '0x10', '9'.repeat(400), '1.5.5', 'Ki', '٣'],
  ...['2026-11-21T16:00:00Z', '2024-02-30T99:99:99Z', '9999-12-31T23:59:59Z', '-271821-04-20T00:00:00Z'],
  '0000-00-00T00:00:00Z',
  ...['1970-01-01T00:00:00.999999999999Z', '2026-11-21', '10.0.0.1', '::1', '300.300.300.300', '10.0.0.0/99'],
  '../../etc',
  ...['x'.repeat(300), 'x'.repeat(70_000), 'VSphere', 'Azure', 'None', 'External', 'OpenShiftSDN', 'CrashLoopBackOff'],
  ...['HEALTH_ERR', 'critical', 'active', 'master', 'worker', 'openshift-x', 'Managed', 'Unmanaged'],
  'CheckNodeDiskUUID',
];

const oddNumbers = [
  0,
  -0,
  -1,
  1,
  0.5,
  11,
  14,
  500,
  2 ** 31,
  -(2 ** 31),
  2 ** 53,
  2 ** 53 + 2,
  1e21,
  1e308,
  -1e308,
  5e-324,
];

function oddValue(value: JsonValue, chance: Chance): JsonValue {
  const makers: readonly (() => JsonValue)[] = [
    () => null,
    () => chance.pick([true, false]),
    () => chance.pick(oddNumbers),
    () => chance.pick(oddTexts),
    () => chance.pick(oddTexts),
    () => [],
    () => ({}),
    () => [value],
    () => ({ [chance.pick(oddNames)]: value, name: value, status: value }),
    () => Array.from({ length: chance.pick([2, 30, 2_000]) }, () => value),
    () => [null, chance.pick(oddTexts), chance.pick(oddNumbers), value, [], {}],
    () => nested(value, chance.pick([5, 199, 201, 1_500])),
    () => JSON.parse('{"__proto__":{"name":"x","status":[]},"constructor":{"prototype":1},"name":"y"}') as JsonValue,
    () => Object.fromEntries(Array.from({ length: chance.pick([10, 3_000]) }, (_, index) => [`k${index}`, value])),
  ];
  return chance.pick(makers)();
}

function nested(value: JsonValue, levels: number): JsonValue {
  let result = value;
  for (let level = 0; level < levels; level += 1) result = level % 2 === 0 ? [result] : { status: result };
  return result;
}

/** A file becomes a text that is not quite what it was, or none of it. */
function changeText(files: Files, chance: Chance): string {
  const path = anyPath(files, chance);
  const bytes = files.get(path)!;
  const at = chance.below(bytes.length + 1);
  const flipped = Buffer.from(bytes);
  for (let flip = 0; flip < 3 && flipped.length > 0; flip += 1)
    flipped[chance.below(flipped.length)]! ^= 1 << chance.below(8);
  const [how, changed] = chance.pick<readonly [string, Buffer]>([
    ['cut', bytes.subarray(0, at)],
    ['bits flipped', flipped],
    ['NULs within', Buffer.concat([bytes.subarray(0, at), Buffer.alloc(3), bytes.subarray(at)])],
    [
      'bytes that are no UTF-8',
      Buffer.concat([bytes.subarray(0, at), Buffer.from([0xff, 0xc0, 0x80]), bytes.subarray(at)]),
    ],
    ['a byte order mark', Buffer.concat([Buffer.from('\ufeff'), bytes])],
    ['UTF-16', Buffer.from(bytes.toString('utf8'), 'utf16le')],
    ['more behind it', Buffer.concat([bytes, Buffer.from(' {}')])],
    ['twice', Buffer.concat([bytes, bytes])],
    ['one member twice', Buffer.from(bytes.toString('utf8').replace('{', '{"metadata":7,"status":[],"metadata":{},'))],
    ['CRLF', Buffer.from(bytes.toString('utf8').replaceAll('\n', '\r\n'))],
    ...['', ' ', '{', '[', 'null', 'true', '7', '"text"', '[]', '{}', '[[]]', 'NaN', '// x', `${'['.repeat(300)}`].map(
      (text) => [`becomes ${text.slice(0, 8)}`, Buffer.from(text)] as const,
    ),
    ['deep', Buffer.from(chance.pick(['[', '{"a":', '[{"a":']).repeat(chance.pick([300, 40_000])))],
  ]);
  files.set(path, changed);
  return `${path}: ${how}`;
}

const oddPaths = [
  ...['config/node/.json', 'config/node/x.json/y.json', 'config/pod/__proto__/constructor.json', 'config/pod//x.json'],
  ...['config/clusteroperator/a/b/c/d/e/f.json', 'config/clusteroperator/x/.json', 'config/node/a\nb.json'],
  'config/node/\u202e.json',
  ...[`config/node/${'n'.repeat(250)}.json`, 'config/node/é.json', 'config/node/e\u0301.json', 'config/node/😀.json'],
  'config/metrics',
  ...['config/id', 'config/version.json', 'config/alerts.json', 'config/psp_names.json', 'config/netnamespaces.json'],
  ...['config/hostsubnet/x.json', 'config/storage/ns/cephclusters/x.json', 'aggregated/ingress_controllers_certs.json'],
  ...['customresources/installers.datahub.sap.com/datahubs/sdi/x.json', 'config/pod/sdi/logs/x/errors.log'],
  ...['config/pdbs/ns/x.json', 'machinesets/x.json', 'events/openshift-cluster-storage-operator.json'],
  'insights-operator/gathers.json',
  'cluster-scoped-resources/rbac.authorization.k8s.io/clusterroles/admin.json',
  'config/configmaps/openshift-insights/insights-config/x',
];

/** A resource stands where another one belongs, there too or instead. */
function moveFile(files: Files, chance: Chance): string {
  const from = anyPath(files, chance);
  const to = chance.pick([...oddPaths, anyPath(files, chance)]);
  const bytes = files.get(from)!;
  if (chance.next() < 0.3) files.delete(from);
  files.set(to, bytes);
  return `${from} at ${JSON.stringify(to.slice(0, 80))}`;
}

function removeFiles(files: Files, chance: Chance): string {
  const path = anyPath(files, chance);
  const folder = path.slice(0, path.lastIndexOf('/'));
  for (const other of [...files.keys()])
    if (files.size > 1 && (other === path || (chance.next() < 0.5 && other.startsWith(folder)))) files.delete(other);
  return `without ${path} and some beside it`;
}

/** Many clusters in one. */
function multiplyFile(files: Files, chance: Chance): string {
  const path = anyPath(files, chance);
  const times = chance.pick([2, 40, 400]);
  const dot = path.lastIndexOf('.');
  for (let copy = 0; copy < times; copy += 1)
    files.set(dot === -1 ? `${path}-${copy}` : `${path.slice(0, dot)}-${copy}${path.slice(dot)}`, files.get(path)!);
  return `${path} ${times} times`;
}

const oddLines = [
  ...['ALERTS{alertname="X",severity="critical",alertstate="firing"} 1', 'ALERTS{', 'ALERTS{}'],
  'ALERTS{alertname=""} NaN 1e99',
  ...['etcd_server_slow_apply_total{pod="x"} 1e999', 'etcd_server_slow_apply_total{pod="\\"} -5'],
  'haproxy_exporter_server_threshold{',
  'haproxy_exporter_server_threshold{pod="x",type="current"} 501',
  'haproxy_exporter_server_threshold{pod="x",type="limit"} +Inf',
  ...['# TYPE', '\u0000', `x{${'a="b",'.repeat(4_000)}} 1`, 'found duplicate series for the match group {'],
  "can't initialize iptables table",
];

/** Lines of metrics and logs. */
function changeLines(files: Files, chance: Chance): string {
  const path = chance.pick([
    ...['config/metrics', 'config/metrics', 'config/pod/openshift-monitoring/logs/prometheus-k8s-0/errors.log'],
    ...['config/pod/openshift-cluster-storage-operator/logs/vsphere-problem-detector-operator-x/errors.log'],
    'config/pod/sdi/logs/x/errors.log',
  ]);
  const lines = (files.get(path) ?? Buffer.alloc(0)).toString('utf8').split('\n');
  for (let line = 0; line < 5; line += 1) {
    const at = chance.below(lines.length + 1);
    const other = lines[chance.below(lines.length)] ?? '';
    lines.splice(
      at,
      chance.below(2),
      chance.pick([...oddLines, other.slice(0, chance.below(other.length + 1)), other]),
    );
  }
  files.set(path, Buffer.from(lines.join(chance.pick(['\n', '\n', '\n', '\r\n', '\r']))));
  return `lines of ${path}`;
}

/** As large as may be parsed, or larger. */
function growFile(files: Files, chance: Chance): string {
  const path = chance.pick([anyPath(files, chance), anyPath(files, chance), 'config/metrics', 'config/alerts.json']);
  const [how, text] = chance.pick<readonly [string, () => string]>([
    ['many values', () => `[${'{},'.repeat(450_000)}{}]`],
    ['nearly too many values', () => `[${'{},'.repeat(190_000)}{}]`],
    ['a long text', () => JSON.stringify({ metadata: { name: 'x'.repeat(5_000_000) } })],
    ['a long number', () => `[${'9'.repeat(2_000_000)}]`],
    ['many members', () => `{${Array.from({ length: 90_000 }, (_, index) => `"k${index}":0`).join(',')}}`],
    ['many lines', () => 'ALERTS{alertname="X",severity="critical",alertstate="firing"} 1 1\n'.repeat(30_000)],
    ['one long line', () => 'found duplicate series for the match group '.repeat(60_000)],
    ['too large a file', () => ' '.repeat(17 * 1024 * 1024)],
  ]);
  files.set(path, Buffer.from(text()));
  return `${path}: ${how}`;
}
