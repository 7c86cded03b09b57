/**
 * Admission webhooks that may hold a request up for longer than the API server's own time, from the two webhook configuration directories; a
 * configuration without any is not parsed. Source: data-pipeline.md 7.4, 7.5.
 */
import type { ArchiveView } from '../archive-view.ts';
import { listAt, nameAt, numberAt, textAt } from '../json-access.ts';
import { looksWhole, namedResourceAt } from './resources.ts';

export interface Webhook {
  readonly kind: 'mutating' | 'validating';
  /** Name of the configuration object that holds the webhook. */
  readonly configuration: string;
  readonly name: string;
  readonly timeoutSeconds: number;
  /** Namespace of the service that answers; undefined when the webhook calls a URL. */
  readonly serviceNamespace: string | undefined;
}

/** What the API server assumes where none is given. */
const timeoutSecondsDefault = 10;
const longTimeout = /"timeoutSeconds": ?(?:1[1-9]|[2-9]\d|\d{3})/;

/** Absent when the archive holds no webhook configuration. In order of configuration, then name; one per name. */
export function readSlowWebhooks(archive: ArchiveView): readonly Webhook[] | undefined {
  const webhooks = new Map<string, Webhook>();
  let seen = false;
  for (const kind of ['mutating', 'validating'] as const) {
    for (const path of archive.jsonFilesIn(`config/${kind}webhookconfigurations`)) {
      const bytes = archive.bytes(path)!;
      const isQuick = looksWhole(bytes) && !longTimeout.test(bytes.toString('latin1'));
      const found = isQuick ? undefined : namedResourceAt(archive, path);
      seen ||= isQuick || found !== undefined;
      for (const webhook of listAt(found?.resource, 'webhooks')) {
        const name = nameAt(webhook, 'name');
        const timeoutSeconds = numberAt(webhook, 'timeoutSeconds') ?? timeoutSecondsDefault;
        if (name === undefined || timeoutSeconds <= timeoutSecondsDefault) continue;
        const configuration = found!.name;
        const serviceNamespace = textAt(webhook, 'clientConfig', 'service', 'namespace');
        const slow = { kind, configuration, name, timeoutSeconds, serviceNamespace };
        webhooks.set(`${configuration}\n${name}\n${kind}`, slow);
      }
    }
  }
  if (!seen) return undefined;
  return [...webhooks.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, webhook]) => webhook);
}
