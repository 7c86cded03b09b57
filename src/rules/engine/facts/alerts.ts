/**
 * Firing alerts: as Alertmanager's v2 API lists them, from `config/alerts.json`; operators before about 4.10 do not gather that file, and
 * there as Prometheus' own series of them in `config/metrics`. Source: ingress.md B.4.1, data-pipeline.md 7.4.
 */
import type { ArchiveView } from '../archive-view.ts';
import { nameAt, nameCharactersMax, textAt } from '../json-access.ts';
import { seriesOf } from './metrics.ts';

export interface Alert {
  readonly name: string;
  readonly namespace: string;
  /** `critical`, `warning`, `info`, `none`. */
  readonly severity: string;
  /** `active`, or `suppressed` when silenced or inhibited; Prometheus knows of neither. */
  readonly state: string;
  /** Empty where only Prometheus tells of the alert. */
  readonly summary: string;
  /** RFC 3339; empty where only Prometheus tells of the alert, whose series does not say. */
  readonly startsAt: string;
  /** Labels of the alerts that the vSphere problem detector makes: which check failed, and on which node. */
  readonly check: string;
  readonly node: string;
}

/** Absent when neither file tells of alerts; an empty list means that the cluster has no alert. */
export function readAlerts(archive: ArchiveView): readonly Alert[] | undefined {
  if (!archive.has('config/alerts.json')) return alertsOfPrometheus(archive);
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
        check: nameAt(alert, 'labels', 'check') ?? '',
        node: nameAt(alert, 'labels', 'node') ?? '',
      },
    ];
  });
}

/** A series at 1 for each alert, whether it fires or is about to. There is always one that fires, the watchdog, so none means not gathered. */
function alertsOfPrometheus(archive: ArchiveView): readonly Alert[] | undefined {
  const series = seriesOf(archive, 'ALERTS');
  if (series.length === 0) return undefined;
  return series.flatMap(({ labels, value }) => {
    const label = (name: string) => labels.get(name)?.slice(0, nameCharactersMax) ?? '';
    const name = label('alertname');
    if (name === '' || value !== 1 || labels.get('alertstate') !== 'firing') return [];
    return [
      {
        name,
        namespace: label('namespace'),
        severity: label('severity'),
        state: 'active',
        summary: '',
        startsAt: '',
        check: label('check'),
        node: label('node'),
      },
    ];
  });
}
