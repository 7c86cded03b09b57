/**
 * Series of `config/metrics`, which is in Prometheus' text format and mostly holds what no rule asks about: only lines of the wanted
 * family are looked at. Source: data-pipeline.md 7.4, 7.5.
 */
import type { ArchiveView } from '../archive-view.ts';
import { nameCharactersMax } from '../json-access.ts';

interface Series {
  readonly labels: ReadonlyMap<string, string>;
  readonly value: number;
}

/** More labels than any series of a cluster has. */
const labelsMax = 100;
const label = /([A-Za-z_][A-Za-z0-9_]*)="((?:[^"\\]|\\.)*)"(?:,|(?=\}))/y;
const sample = /\} (\S{1,40})(?: \d{1,20})?\s*$/y;
const escapes: Readonly<Record<string, string>> = { '\\n': '\n', '\\"': '"', '\\\\': '\\' };

/** The series of a family that have labels and a finite value, in order; lines that are none are left out. */
export function seriesOf(archive: ArchiveView, family: string): readonly Series[] {
  return archive.linesBeginning('config/metrics', `${family}{`).flatMap((line) => parseSeries(line, family.length + 1));
}

function parseSeries(line: string, start: number): Series[] {
  const labels = new Map<string, string>();
  let end = start;
  while (labels.size < labelsMax) {
    label.lastIndex = end;
    const match = label.exec(line);
    if (match === null) break;
    const text = match[2]!.replace(/\\[n"\\]/g, (escaped) => escapes[escaped]!);
    labels.set(match[1]!, text);
    end = label.lastIndex;
  }
  sample.lastIndex = end;
  const value = Number(sample.exec(line)?.[1] ?? Number.NaN);
  return Number.isFinite(value) ? [{ labels, value }] : [];
}

/** How many servers (back ends of routes) a router pod has, and up to how many it exports metrics of each. */
interface RouterServers {
  readonly pod: string;
  readonly current: number;
  readonly limit: number;
}

/** Absent when no router tells both numbers. In order of pod; a pod that tells a number twice is taken by the larger. */
export function readRouterServers(archive: ArchiveView): readonly RouterServers[] | undefined {
  const pods = new Map<string, { current?: number; limit?: number }>();
  for (const { labels, value } of seriesOf(archive, 'haproxy_exporter_server_threshold')) {
    const pod = labels.get('pod') ?? '';
    const type = labels.get('type');
    if (pod === '' || pod.length > nameCharactersMax || (type !== 'current' && type !== 'limit')) continue;
    const seen = pods.get(pod) ?? {};
    pods.set(pod, { ...seen, [type]: Math.max(seen[type] ?? value, value) });
  }
  const routers = [...pods].flatMap(([pod, { current, limit }]) =>
    current === undefined || limit === undefined ? [] : [{ pod, current, limit }],
  );
  return routers.length === 0 ? undefined : routers.sort((a, b) => (a.pod < b.pod ? -1 : 1));
}

/** How many changes a member of etcd took long (more than 100 ms) to apply since it started. */
interface EtcdSlowApplies {
  readonly pod: string;
  readonly count: number;
}

/** Absent when no member tells. In order of pod; a pod that tells twice is taken by the larger. */
export function readEtcdSlowApplies(archive: ArchiveView): readonly EtcdSlowApplies[] | undefined {
  const counts = new Map<string, number>();
  for (const { labels, value } of seriesOf(archive, 'etcd_server_slow_apply_total')) {
    const pod = labels.get('pod') ?? '';
    if (pod !== '' && pod.length <= nameCharactersMax) counts.set(pod, Math.max(counts.get(pod) ?? value, value));
  }
  const members = [...counts].map(([pod, count]) => ({ pod, count }));
  return members.length === 0 ? undefined : members.sort((a, b) => (a.pod < b.pod ? -1 : 1));
}
