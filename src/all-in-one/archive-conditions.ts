/** Alerts and operators of clusters from the archives that this process keeps, for the results API, which cannot reach them itself. */
import type { ClusterConditions, FailingOperator, ReadArchiveConditions } from '../contracts/cluster-conditions.ts';
import { CcxError } from '../encoding/ccx-error.ts';
import { openArchive } from '../platform/archive/open-archive.ts';
import { isReservedKey, type ObjectStore } from '../platform/objects/object-store.ts';
import { createArchiveView } from '../rules/engine/archive-view.ts';
import { readAlerts } from '../rules/engine/facts/alerts.ts';
import { type ClusterOperator, readClusterOperators } from '../rules/engine/facts/operators.ts';

/** An archive does not change; each is opened once while so many others were not. */
const rememberedMax = 1_000;

/** One archive at a time: each may unpack to a lot, and many clusters may be asked for at once. */
export function archiveConditions(objects: Pick<ObjectStore, 'get'>): ReadArchiveConditions {
  const remembered = new Map<string, ClusterConditions>();
  let turn: Promise<unknown> = Promise.resolve();
  const read = async (requestId: string) => {
    const known = remembered.get(requestId);
    const found = known ?? (await conditionsIn(objects, requestId));
    remembered.delete(requestId);
    if (found !== undefined) remembered.set(requestId, found);
    const oldest = remembered.keys().next();
    if (remembered.size > rememberedMax && !oldest.done) remembered.delete(oldest.value);
    return found;
  };
  return (requestId) => {
    const mine = turn.then(() => read(requestId));
    turn = mine.catch(() => undefined);
    return mine;
  };
}

async function conditionsIn(
  objects: Pick<ObjectStore, 'get'>,
  requestId: string,
): Promise<ClusterConditions | undefined> {
  if (requestId === '' || isReservedKey(requestId)) return undefined;
  const stored = await objects.get(requestId);
  if (stored === undefined) return undefined;
  try {
    const archive = createArchiveView(await openArchive(stored.body));
    const alerts = readAlerts(archive);
    const operators = readClusterOperators(archive);
    if (alerts === undefined && operators === undefined) return undefined;
    return {
      alerts: (alerts ?? []).map(({ name, namespace, severity }) => ({ name, namespace, severity })),
      operators: (operators ?? []).flatMap(failuresOf),
    };
  } catch (error) {
    if (error instanceof CcxError && !error.retryable) return undefined;
    throw error;
  }
}

/** Reasons are cut as metrics have them: one word. */
const reasonCharactersMax = 256;

function failuresOf({ name, available, degraded }: ClusterOperator): FailingOperator[] {
  const failing: FailingOperator[] = [];
  const reasonOf = ({ reason }: { readonly reason: string }) => reason.slice(0, reasonCharactersMax);
  if (available.status === false) failing.push({ name, condition: 'Not Available', reason: reasonOf(available) });
  if (degraded.status === true) failing.push({ name, condition: 'Degraded', reason: reasonOf(degraded) });
  return failing;
}
