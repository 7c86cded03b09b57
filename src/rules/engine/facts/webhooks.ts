/** Admission webhooks, from the two webhook configuration directories. Source: data-pipeline.md 7.4, 7.5. */
import type { ArchiveView } from '../archive-view.ts';
import { listAt, nameAt, numberAt, textAt } from '../json-access.ts';
import { namedResourcesIn } from './resources.ts';

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

/** Absent when the archive holds no webhook configuration. In order of configuration, then name; one per name. */
export function readWebhooks(archive: ArchiveView): readonly Webhook[] | undefined {
  const webhooks = new Map<string, Webhook>();
  let seen = false;
  for (const kind of ['mutating', 'validating'] as const) {
    const configurations = namedResourcesIn(archive, `config/${kind}webhookconfigurations`);
    for (const { name: configuration, resource } of configurations) {
      seen = true;
      for (const webhook of listAt(resource, 'webhooks')) {
        const name = nameAt(webhook, 'name');
        if (name === undefined) continue;
        webhooks.set(`${configuration}\n${name}\n${kind}`, {
          kind,
          configuration,
          name,
          timeoutSeconds: numberAt(webhook, 'timeoutSeconds') ?? timeoutSecondsDefault,
          serviceNamespace: textAt(webhook, 'clientConfig', 'service', 'namespace'),
        });
      }
    }
  }
  if (!seen) return undefined;
  return [...webhooks.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, webhook]) => webhook);
}
