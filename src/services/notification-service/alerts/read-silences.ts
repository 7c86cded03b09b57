/**
 * What the Alertmanagers of a receiver silence of ours, read back and kept for `ccx explain`. Members of one cluster share their silences:
 * what any of them says counts. Memory grows with the silences that are in force, and not with the fleet.
 */
import type { AlertmanagerSilence, SilencedAlert } from '../../../contracts/alertmanager.ts';
import { cutUtf8 } from '../../../encoding/cut-utf8.ts';
import type { AlertMember } from '../ports.ts';
import { forgetSilenced, type SilencedRow, storeSilenced } from '../store/alert-silences.ts';
import type { StoreAccess } from '../store/transact.ts';
import type { AlertEvents } from './alert-events.ts';

/** Silences in force that are kept in memory while the alerts are read; nobody makes so many by hand. */
const silencesMax = 10_000;
const textBytesMax = 512;

interface Reading {
  readonly target: { readonly name: string; readonly eventTargetId: number };
  readonly members: readonly AlertMember[];
  readonly events: AlertEvents;
  readonly signal: AbortSignal;
}

/** Rejects only where the database cannot be used; a member that cannot be asked is said. */
export async function readSilences(store: StoreAccess, { target, members, events, signal }: Reading): Promise<void> {
  const { eventTargetId } = target;
  const inForce = new Set<string>();
  let everybody = true;
  let silenced = 0;
  for (const member of members) {
    const silences = new Map<string, AlertmanagerSilence>();
    try {
      await member.readSilences((one) => void (silences.size < silencesMax && silences.set(one.id, one)), signal);
      let count = 0;
      if (silences.size > 0)
        await member.readSilencedAlerts(async (alerts) => {
          count += alerts.length;
          await storeSilenced(store, eventTargetId, silencedRows(alerts, silences));
        }, signal);
      silenced = Math.max(silenced, count);
      for (const id of silences.keys()) inForce.add(id);
    } catch (error) {
      everybody = false;
      if (!signal.aborted) events.silencesUnread({ target: target.name, address: member.address }, error);
    }
  }
  if (signal.aborted) return;
  await forgetSilenced(store, eventTargetId, everybody ? [...inForce] : undefined);
  events.silencesRead(target.name, silenced);
}

/** A row for each alert and silence that is known. Pure. */
function silencedRows(
  alerts: readonly SilencedAlert[],
  silences: ReadonlyMap<string, AlertmanagerSilence>,
): readonly SilencedRow[] {
  return alerts.flatMap(({ labels, status }) =>
    status.silencedBy.flatMap((silenceId): SilencedRow[] => {
      const silence = silences.get(silenceId);
      const orgId = Number(labels.org_id);
      if (silence === undefined || orgId > 2 ** 31 - 1) return [];
      return [
        {
          ...{ silenceId, orgId, cluster: labels.cluster_id, rule: labels.rule, errorKey: labels.error_key },
          untilMicros: BigInt(Date.parse(silence.endsAt)) * 1_000n,
          by: lineOf(silence.createdBy),
          comment: lineOf(silence.comment),
        },
      ];
    }),
  );
}

/** Somebody's text: one line, shown in a terminal. */
function lineOf(text: string): string {
  const line = text.toWellFormed().replaceAll(/[\s\p{C}]+/gu, ' ');
  return cutUtf8(line.trim(), textBytesMax).trimEnd();
}
