/**
 * Pods that are not ready and whose containers are started again and again, from `config/pod/<namespace>/`. A pod whose containers are all
 * ready is not parsed: archives hold pods by the hundred. Source: data-pipeline.md 7.4, 7.5 (generic checks).
 */
import { isJsonObject, type JsonValue } from '../../../encoding/json-text.ts';
import type { ArchiveView } from '../archive-view.ts';
import { field, listAt, nameAt, numberAt, textAt } from '../json-access.ts';
import { type Condition, looksWhole, readCondition } from './resources.ts';

/** Restarts from which on a container that is not ready counts, though it does not wait at the moment. Source: data-pipeline.md 7.5. */
const restartsMin = 6;

interface CrashingPod {
  readonly namespace: string;
  readonly name: string;
  readonly ready: Condition;
  readonly containers: readonly {
    readonly name: string;
    readonly restarts: number;
    /** Why it ended the last time, such as `Error` or `OOMKilled`; empty where it is not told. */
    readonly reason: string;
    readonly exitCode: number | null;
  }[];
}

/** An empty list means that no pod of the archive is like that; absent when it holds no pod. In order of their files. */
export function readCrashingPods(archive: ArchiveView): readonly CrashingPod[] | undefined {
  const paths = archive.below('config/pod').filter((path) => path.split('/').length === 4 && path.endsWith('.json'));
  if (paths.length === 0) return undefined;
  return paths.flatMap((path) => {
    if (isSurelyWell(archive.bytes(path) ?? Buffer.alloc(0))) return [];
    const pod = archive.json(path);
    const name = nameAt(pod, 'metadata', 'name');
    if (name === undefined || !isJsonObject(pod)) {
      archive.reject(path);
      return [];
    }
    const ready = readCondition(pod, 'Ready');
    const containers = ['initContainerStatuses', 'containerStatuses'].flatMap((list) =>
      listAt(pod, 'status', list).flatMap((container) => readCrashing(container) ?? []),
    );
    if (containers.length === 0 || ready.status === true) return [];
    return [{ namespace: nameAt(pod, 'metadata', 'namespace') ?? path.split('/')[2]!, name, ready, containers }];
  });
}

/** No container of it that is not ready. A file that is not whole says nothing, and what has no metadata is no pod. */
function isSurelyWell(bytes: Buffer): boolean {
  return !bytes.includes('"ready":false') && !bytes.includes('"ready": false') && looksWhole(bytes);
}

function readCrashing(container: JsonValue) {
  const name = nameAt(container, 'name');
  const restarts = numberAt(container, 'restartCount') ?? 0;
  const waits = textAt(container, 'state', 'waiting', 'reason') === 'CrashLoopBackOff';
  const isReady =
    field(container, 'ready') === true || textAt(container, 'state', 'terminated', 'reason') === 'Completed';
  if (name === undefined || isReady || !(waits || restarts >= restartsMin)) return undefined;
  const last = field(container, 'lastState', 'terminated') ?? field(container, 'state', 'terminated');
  return { name, restarts, reason: nameAt(last, 'reason') ?? '', exitCode: numberAt(last, 'exitCode') ?? null };
}
