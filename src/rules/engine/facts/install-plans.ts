/** Install plans of the platform's namespaces, counted by the operator, from `config/installplans.json`. Source: data-pipeline.md 7.4. */
import { isJsonObject } from '../../../encoding/json-text.ts';
import type { ArchiveView } from '../archive-view.ts';
import { listAt, nameAt, numberAt } from '../json-access.ts';

interface InstallPlans {
  readonly namespace: string;
  /** The first cluster service version that they would install. */
  readonly csv: string;
  /** How many of them there are. */
  readonly count: number;
}

const path = 'config/installplans.json';

/** The hundred largest groups, the largest first. Absent when the file is; empty when the cluster has no plan. */
export function readInstallPlans(archive: ArchiveView): readonly InstallPlans[] | undefined {
  const document = archive.json(path);
  if (!isJsonObject(document) || !Object.hasOwn(document, 'items')) {
    archive.reject(path);
    return undefined;
  }
  return listAt(document, 'items').flatMap((item) => {
    const namespace = nameAt(item, 'ns');
    const csv = nameAt(item, 'csv');
    const count = numberAt(item, 'count');
    return namespace === undefined || csv === undefined || count === undefined ? [] : [{ namespace, csv, count }];
  });
}
