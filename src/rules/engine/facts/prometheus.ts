/** Where the platform's Prometheus keeps its data: its configuration, and its pods where the operator gathers them. Source: data-pipeline.md 7.4. */
import { isJsonObject } from '../../../encoding/json-text.ts';
import type { ArchiveView } from '../archive-view.ts';
import { field, listAt, objectAt, textAt } from '../json-access.ts';
import { lastLinesWith, podLogs } from './logs.ts';

interface PrometheusStorage {
  /** Whether the monitoring configuration asks for a volume. */
  readonly claimsVolume: boolean;
  /** For each pod that was gathered, whether its data ends with it; not looked at where a volume is asked for. */
  readonly podsAreEphemeral: readonly boolean[];
}

const path = 'config/configmaps/openshift-monitoring/cluster-monitoring-config/config.json';

/**
 * The configuration is optional, and everything in it is. Absent when it is not in the archive, unless the operator says that the cluster
 * has none: older operators do not gather it.
 */
export function readPrometheusStorage(archive: ArchiveView): PrometheusStorage | undefined {
  const document = archive.json(path);
  if (!isJsonObject(document)) {
    archive.reject(path);
    if (archive.has(path) || !saysThereIsNone(archive)) return undefined;
  }
  const claimsVolume = objectAt(document, 'prometheusK8s', 'volumeClaimTemplate') !== undefined;
  return {
    claimsVolume,
    podsAreEphemeral: claimsVolume ? [] : podsOf(archive).map((pod) => isEphemeral(archive, pod)),
  };
}

function podsOf(archive: ArchiveView): readonly string[] {
  const directory = 'config/pod/openshift-monitoring';
  return archive.jsonFilesIn(directory).filter((path) => path.startsWith('prometheus-k8s-', directory.length + 1));
}

function isEphemeral(archive: ArchiveView, pod: string): boolean {
  const volumes = listAt(archive.json(pod), 'spec', 'volumes');
  const data = volumes.find((volume) => textAt(volume, 'name') === 'prometheus-k8s-db');
  return field(data, 'emptyDir') !== undefined;
}

/** The operator asks for it by name, and lists that it is not there among what went wrong. */
function saysThereIsNone(archive: ArchiveView): boolean {
  const reports = listAt(archive.json('insights-operator/gathers.json'), 'status_reports');
  const report = reports.find((candidate) => textAt(candidate, 'name') === 'clusterconfig/config_maps');
  return listAt(report, 'errors').some((error) => textAt(error) === 'configmaps "cluster-monitoring-config" not found');
}

/** Lines of each log that are kept. */
const complaintsMax = 5;

/** What the current logs of Prometheus say of rules that find a series twice, the newest first of each log. Absent when none of its logs was gathered. */
export function readPrometheusComplaints(archive: ArchiveView): readonly string[] | undefined {
  const logs = podLogs(archive, 'openshift-monitoring', 'prometheus-k8s-');
  if (logs.length === 0) return undefined;
  return logs.flatMap((log) =>
    lastLinesWith(archive, log, 'found duplicate series for the match group', complaintsMax),
  );
}
