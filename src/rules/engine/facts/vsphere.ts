/**
 * What is gathered of a cluster on vSphere and asked for by rules about vSphere only. Absent on every other platform, so that nothing of it
 * is read there. Source: data-pipeline.md 7.4, 7.5.
 */
import type { ArchiveView } from '../archive-view.ts';
import { listAt, nameAt, textAt } from '../json-access.ts';
import { lastLinesWith, podLogs } from './logs.ts';
import { PLATFORM_VSPHERE, readInfrastructure } from './platform.ts';
import { namedResourcesIn } from './resources.ts';

interface Machine {
  readonly name: string;
  /** `Provisioning`, `Provisioned`, `Running`, `Failed`, …; empty when no controller has looked at it. */
  readonly phase: string;
}

/** From `config/machines/openshift-machine-api/`, in order of path. Absent when there are none. */
export function readVsphereMachines(archive: ArchiveView): readonly Machine[] | undefined {
  if (!isVsphere(archive)) return undefined;
  const machines = namedResourcesIn(archive, 'config/machines/openshift-machine-api').map(({ name, resource }) => ({
    name,
    phase: nameAt(resource, 'status', 'phase') ?? '',
  }));
  return machines.length === 0 ? undefined : machines;
}

interface ProblemDetector {
  /** Nodes whose last check found that their disks have no identifiers, in order. */
  readonly nodesWithoutDiskUuid: readonly string[];
  /** The newest line that says that vCenter does not let it in; undefined when it has been let in since, too. */
  readonly loginFailure: string | undefined;
}

const namespace = 'openshift-cluster-storage-operator';
/** Of each log: checks of some thousand nodes. */
const checkLinesMax = 5_000;
const syncLinesMax = 50;

/** From the detector's logs and the events of its namespace. Absent when the archive holds neither. */
export function readVsphereDetector(archive: ArchiveView): ProblemDetector | undefined {
  if (!isVsphere(archive)) return undefined;
  const logs = podLogs(archive, namespace, 'vsphere-problem-detector-operator');
  const eventsPath = `events/${namespace}.json`;
  if (logs.length === 0 && !archive.has(eventsPath)) return undefined;
  const nodes = new Set<string>();
  for (const log of logs)
    for (const node of nodesFailing(lastLinesWith(archive, log, 'CheckNodeDiskUUID:', checkLinesMax))) nodes.add(node);
  const messages = listAt(archive.json(eventsPath), 'items').flatMap((event) => textAt(event, 'message') ?? []);
  for (const node of nodesFailing(messages.reverse())) nodes.add(node);
  const failures = logs.flatMap((log) => loginFailureIn(archive, log) ?? []);
  return {
    nodesWithoutDiskUuid: [...nodes].sort(),
    loginFailure: failures.sort((a, b) => (timeOf(a) < timeOf(b) ? 1 : -1))[0],
  };
}

/** The detector's words for each node that it has checked, newest first: only the last result of a node counts. */
function nodesFailing(newestFirst: readonly string[]): string[] {
  const passed = new Map<string, boolean>();
  for (const line of newestFirst) {
    const match = /CheckNodeDiskUUID:([^\s:]{1,253}) (failed|passed)/.exec(line);
    if (match !== null && !passed.has(match[1]!)) passed.set(match[1]!, match[2] === 'passed');
  }
  return [...passed].flatMap(([node, isPassed]) => (isPassed ? [] : [node]));
}

function loginFailureIn(archive: ArchiveView, log: string): string | undefined {
  const lines = lastLinesWith(
    archive,
    log,
    '"VSphereProblemDetectorController" controller failed to sync "key"',
    syncLinesMax,
  );
  const failure = lines.find((line) =>
    line.includes('Cannot complete login due to an incorrect user name or password'),
  );
  if (failure === undefined) return undefined;
  const [success] = lastLinesWith(archive, log, 'Finished running all vSphere specific checks', 1);
  return success !== undefined && timeOf(success) > timeOf(failure) ? undefined : failure;
}

/** Month, day and time of a line as klog writes them, which sort as text within a year; empty where there are none. */
function timeOf(line: string): string {
  return /[IWEF](\d{4} \d\d:\d\d:\d\d\.\d{1,9})/.exec(line)?.[1] ?? '';
}

function isVsphere(archive: ArchiveView): boolean {
  return readInfrastructure(archive)?.platform === PLATFORM_VSPHERE;
}
