/**
 * Where the Insights Operator is configured: in secret `support`, and since 4.15 in a config map. Of the secret only the names of its keys
 * are looked at. Source: data-pipeline.md 7.5 (39).
 */
import { isJsonObject } from '../../../encoding/json-text.ts';
import type { ArchiveView } from '../archive-view.ts';
import { nameCharactersMax } from '../json-access.ts';

interface InsightsConfig {
  /** In order; empty when there is no secret. */
  readonly secretKeys: readonly string[];
  readonly hasConfigMap: boolean;
}

/** Absent when the operator has neither, and runs as it comes. */
export function readInsightsConfig(archive: ArchiveView): InsightsConfig | undefined {
  const path = 'config/secrets/openshift-config/support/data.json';
  const hasConfigMap = archive.below('config/configmaps/openshift-insights/insights-config').length > 0;
  if (!archive.has(path)) return hasConfigMap ? { secretKeys: [], hasConfigMap } : undefined;
  const secret = archive.json(path);
  if (!isJsonObject(secret)) {
    archive.reject(path);
    return undefined;
  }
  const secretKeys = Object.keys(secret).filter((key) => key.length <= nameCharactersMax);
  return { secretKeys: secretKeys.sort(), hasConfigMap };
}
