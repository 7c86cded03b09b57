/**
 * Simulated clusters leave an installation when a real one has reported, so that nobody has to tell the one from the other. Begun by
 * `start-all-in-one.ts`; listens to the diagnostics channel, so the services know nothing of it.
 */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { isSimulatedCluster } from '../contracts/identifiers.ts';
import { errorText } from '../encoding/ccx-error.ts';
import type { Clock } from '../platform/clock/clock.ts';
import type { Database } from '../platform/database/database.ts';
import { readClusterKinds, removeSimulatedClusters } from '../platform/records/simulated-clusters.ts';
import { BUSINESS_EVENT_CHANNEL, type BusinessEvent } from '../platform/telemetry/telemetry.ts';

/** Once more after that: what was under way when they went has been written by then. Also the pause where somebody goes on uploading them. */
export const lingerMs = 60_000;

interface LeavingOptions {
  readonly database: Database;
  readonly clock: Clock;
  readonly print: (line: string) => void;
}

/** Resolves, once it is known whether there are any, to what ends the listening. */
export async function letSimulatedClustersLeave({
  database,
  clock,
  print,
}: LeavingOptions): Promise<() => Promise<void>> {
  const stopping = new AbortController();
  let areThere = false;
  let leaving: Promise<void> | undefined;

  const remove = async (): Promise<void> => {
    areThere = false;
    const removed = await removeSimulatedClusters(database);
    if (removed.size > 0) print('A real cluster has reported: the simulated ones are gone.');
  };
  const leave = async (): Promise<void> => {
    try {
      await remove();
      await clock.sleep(lingerMs, stopping.signal);
      await remove();
    } catch (error) {
      if (stopping.signal.aborted) return;
      areThere = true;
      print(
        `warning: the simulated clusters cannot be removed: ${errorText(error)}; ccx simulate --remove does it, too`,
      );
    }
  };
  const begin = () => {
    leaving ??= leave().finally(() => {
      leaving = undefined;
    });
  };
  const listen = (message: unknown) => {
    const { event, fields } = message as BusinessEvent;
    if (event !== 'report-stored') return;
    if (isSimulatedCluster(String(fields['cluster'] ?? ''))) areThere = true;
    else if (areThere) begin();
  };
  subscribe(BUSINESS_EVENT_CHANNEL, listen);
  const { simulated, real } = await readClusterKinds(database);
  areThere ||= simulated;
  if (simulated && real) begin();
  return async () => {
    unsubscribe(BUSINESS_EVENT_CHANNEL, listen);
    stopping.abort();
    await leaving;
  };
}
