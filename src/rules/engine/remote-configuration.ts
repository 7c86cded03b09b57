/** Which remote configuration the operator gathered under; the data pipeline counts it. */
import type { ArchiveView } from './archive-view.ts';
import { textAt } from './json-access.ts';

/** Undefined when the archive holds none; `None` when it names no version. Source: data-pipeline.md 6.1. */
export function remoteConfigurationVersion(archive: ArchiveView): string | undefined {
  const document = archive.json('insights-operator/remote-configuration.json');
  return document === undefined ? undefined : (textAt(document, 'version') ?? 'None');
}
