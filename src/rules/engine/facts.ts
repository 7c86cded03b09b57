/**
 * What rules know about a cluster. A fact is read from the archive when the first rule asks for it, and once; over a missing or broken
 * file it is absent, and a rule that requires it is skipped. Adding a fact: write its reader in `facts/` and name it in the table below.
 */
import type { ArchiveView } from './archive-view.ts';
import { readAlerts } from './facts/alerts.ts';
import { readClusterVersion } from './facts/cluster-version.ts';
import { readMachineConfigPools } from './facts/machine-config-pools.ts';
import { readNodes } from './facts/nodes.ts';
import { readClusterOperators, readOperatorResources } from './facts/operators.ts';
import { readInfrastructure, readNetwork, readProxy } from './facts/platform.ts';
import { readImageRegistry, readPersistentVolumes } from './facts/storage.ts';
import { readWebhooks } from './facts/webhooks.ts';

const readers = {
  alerts: readAlerts,
  clusterOperators: readClusterOperators,
  clusterVersion: readClusterVersion,
  imageRegistry: readImageRegistry,
  infrastructure: readInfrastructure,
  machineConfigPools: readMachineConfigPools,
  network: readNetwork,
  nodes: readNodes,
  operatorResources: readOperatorResources,
  persistentVolumes: readPersistentVolumes,
  proxy: readProxy,
  webhooks: readWebhooks,
} as const;

export type FactName = keyof typeof readers;
type FactValues = { readonly [Name in FactName]: NonNullable<ReturnType<(typeof readers)[Name]>> };
/** Every fact, each possibly absent. */
export type Facts = { readonly [Name in FactName]?: FactValues[Name] };
/** What a rule that requires `Required` receives: those are there, the others may be. */
export type FactsWith<Required extends FactName> = Facts & Pick<FactValues, Required>;

export const FACT_NAMES: readonly FactName[] = Object.keys(readers) as FactName[];

/**
 * The facts of one archive, read on first use. A reader that throws (a bug) makes its fact absent and is reported once to `onFailure`;
 * it never fails the archive.
 */
export function createFacts(archive: ArchiveView, onFailure: (fact: FactName, cause: unknown) => void): Facts {
  const facts: Facts = {};
  for (const name of FACT_NAMES) {
    const state: { value?: unknown; read: boolean } = { read: false };
    Object.defineProperty(facts, name, {
      enumerable: true,
      get() {
        if (!state.read) {
          state.read = true;
          try {
            state.value = readers[name](archive);
          } catch (cause) {
            onFailure(name, cause);
          }
        }
        return state.value;
      },
    });
  }
  return facts;
}
