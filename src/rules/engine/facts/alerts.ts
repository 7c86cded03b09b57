/** Firing alerts as Alertmanager's v2 API lists them, from `config/alerts.json`. Source: ingress.md B.4.1. */
import type { ArchiveView } from '../archive-view.ts';
import { nameAt, textAt } from '../json-access.ts';

export interface Alert {
  readonly name: string;
  readonly namespace: string;
  /** `critical`, `warning`, `info`, `none`. */
  readonly severity: string;
  /** `active`, or `suppressed` when silenced or inhibited. */
  readonly state: string;
  readonly summary: string;
  readonly startsAt: string;
}

/** Absent when the file is; an empty list means that the cluster has no alert. */
export function readAlerts(archive: ArchiveView): readonly Alert[] | undefined {
  const document = archive.json('config/alerts.json');
  if (!Array.isArray(document)) {
    archive.reject('config/alerts.json');
    return undefined;
  }
  return document.flatMap((alert) => {
    const name = nameAt(alert, 'labels', 'alertname');
    if (name === undefined) return [];
    return [
      {
        name,
        namespace: nameAt(alert, 'labels', 'namespace') ?? '',
        severity: textAt(alert, 'labels', 'severity') ?? '',
        state: textAt(alert, 'status', 'state') ?? '',
        summary: textAt(alert, 'annotations', 'summary') ?? textAt(alert, 'annotations', 'message') ?? '',
        startsAt: nameAt(alert, 'startsAt') ?? '',
      },
    ];
  });
}
