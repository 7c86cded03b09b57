/** Names of the machine configurations, from `config/machineconfigs/`. Source: data-pipeline.md 7.4. */
import type { ArchiveView } from '../archive-view.ts';

/** What SDI Observer makes of the workers' kernel modules and limits. */
export const SAP_MACHINE_CONFIG = '75-worker-sap-data-intelligence';

/** By their files' names: there may be hundreds of them, of some tens of KiB each, and no rule asks what is in them. Absent when there are none. */
export function readMachineConfigs(archive: ArchiveView): readonly string[] | undefined {
  const directory = 'config/machineconfigs';
  const names = archive.jsonFilesIn(directory).map((path) => path.slice(directory.length + 1, -'.json'.length));
  return names.length === 0 ? undefined : names;
}
