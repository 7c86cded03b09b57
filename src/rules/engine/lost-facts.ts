/**
 * Facts whose files an archive must hold and does not: every cluster has what they are about, and the operator says in the archive itself
 * that it gathered it. That they are absent says nothing about the cluster. Used for the reason `INPUT_MISSING`.
 *
 * Kept to what is known for certain: a function that the operator did not run (switched off, an older operator) is not in its list, and
 * without the list, which every genuine archive has, nothing is concluded. Source: ingress.md B.4.1.
 */
import type { ArchiveView } from './archive-view.ts';
import type { FactName } from './facts.ts';
import { listAt, textAt } from './json-access.ts';

/** What the operator calls the function that gathers it, and where it puts it; only what no cluster is without. */
const gathered: Readonly<Record<string, { readonly fact: FactName; readonly path: string }>> = {
  'clusterconfig/infrastructures': { fact: 'infrastructure', path: 'config/infrastructure.json' },
  'clusterconfig/networks': { fact: 'network', path: 'config/network.json' },
  'clusterconfig/nodes': { fact: 'nodes', path: 'config/node' },
  'clusterconfig/operators': { fact: 'clusterOperators', path: 'config/clusteroperator' },
  'clusterconfig/version': { fact: 'clusterVersion', path: 'config/version.json' },
};

export function lostFacts(archive: ArchiveView): ReadonlySet<FactName> {
  const absent = Object.entries(gathered).filter(
    ([, { path }]) => !archive.has(path) && archive.below(path).length === 0,
  );
  if (absent.length === 0) return new Set();
  const reports = listAt(archive.json('insights-operator/gathers.json'), 'status_reports');
  const names = new Set(reports.map((report) => textAt(report, 'name')));
  return new Set(absent.flatMap(([name, { fact }]) => (names.has(name) ? [fact] : [])));
}
