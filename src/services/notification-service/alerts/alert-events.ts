/** What happened in the rounds that post alerts, said: log lines where something changes, metrics, announcements. */
import { type CcxError, errorCode, errorFields } from '../../../encoding/ccx-error.ts';
import type { Clock } from '../../../platform/clock/clock.ts';
import { Counter, Gauge } from '../../../platform/telemetry/prometheus.ts';
import type { Telemetry } from '../../../platform/telemetry/telemetry.ts';

export type AlertEvents = ReturnType<typeof createAlertEvents>;

/** A receiver and one of its Alertmanagers, as anybody may see it. */
interface Member {
  readonly target: string;
  readonly address: string;
}

export function createAlertEvents({ log, registry, announce }: Telemetry, clock: Clock) {
  const registers = [registry];
  const alerts = new Gauge({
    name: 'ccx_notification_alerts',
    help: 'Alerts of a receiver of type alertmanager: active ones, those that it was not posted because a label cannot be, and those that it silences',
    labelNames: ['target', 'state'],
    registers,
  });
  const posts = new Counter({
    name: 'ccx_notification_alert_posts_total',
    help: 'Posts of alerts to each Alertmanager, by how they ended',
    labelNames: ['target', 'address', 'result'],
    registers,
  });
  const refused = new Counter({
    name: 'ccx_notification_alerts_refused_total',
    help: 'Single alerts that an Alertmanager did not take; each is left out for an hour',
    labelNames: ['target', 'address'],
    registers,
  });
  const postedAt = new Gauge({
    name: 'ccx_notification_alerts_posted_timestamp_seconds',
    help: 'When an Alertmanager was last posted everything that is active, seconds since the epoch',
    labelNames: ['target', 'address'],
    registers,
  });
  const roundSeconds = new Gauge({
    name: 'ccx_notification_alert_round_seconds',
    help: 'How long that took',
    labelNames: ['target', 'address'],
    registers,
  });
  /** Codes of failures that were said, by member. */
  const failing = new Map<string, string>();
  const keyOf = ({ target, address }: Member) => `${target} ${address}`;
  return {
    leaseTaken(target: string): void {
      log.info({ target }, 'this process posts the alerts of the receiver');
      announce('alert-lease-taken', { target });
    },
    alertsSettled(target: string, counts: { active: number; began: number; ended: number }): void {
      alerts.set({ target, state: 'active' }, counts.active);
      if (counts.began + counts.ended > 0) log.info({ target, ...counts }, 'alerts began or ended');
      announce('alerts-settled', { target, ...counts });
    },
    labelsInvalid(target: string, count: number, example: string | undefined): void {
      alerts.set({ target, state: 'invalid' }, count);
      if (count > 0) log.warn({ target, count, example }, 'alerts with a label that cannot be posted are left out');
    },
    alertsPosted(member: Member, { count, startedMs }: { readonly count: number; readonly startedMs: number }): void {
      const { target, address } = member;
      postedAt.set({ target, address }, clock.now().getTime() / 1000);
      roundSeconds.set({ target, address }, (clock.monotonicMs() - startedMs) / 1000);
      if (failing.delete(keyOf(member))) log.info({ ...member }, 'the Alertmanager takes alerts again');
      announce('alerts-posted', { ...member, count });
    },
    batchPosted({ target, address }: Member, result: 'taken' | 'refused' | 'failed'): void {
      posts.inc({ target, address, result });
    },
    alertRefused(member: Member, labels: object, detail: string): void {
      refused.inc({ target: member.target, address: member.address });
      log.error({ ...member, labels, detail }, 'the Alertmanager refuses this alert; it is left out for an hour');
      announce('alert-refused', { ...member });
    },
    /** Said when it begins, and when it is another: the next round comes within a minute. */
    postingFailed(member: Member, error: CcxError): void {
      if (failing.get(keyOf(member)) !== error.code)
        log.warn(
          { ...member, ...errorFields(error) },
          'the Alertmanager was not posted everything; the next round does',
        );
      failing.set(keyOf(member), error.code);
      announce('alerts-not-posted', { ...member, code: error.code });
    },
    roundFailed(target: string, error: unknown): void {
      log.error({ target, ...errorFields(error) }, 'it could not be said which alerts are active; the next round does');
      announce('alert-round-failed', { target, code: errorCode(error) });
    },
    silencesRead(target: string, silenced: number): void {
      alerts.set({ target, state: 'silenced' }, silenced);
      announce('alert-silences-read', { target, silenced });
    },
    silencesUnread(member: Member, error: unknown): void {
      log.debug({ ...member, ...errorFields(error) }, 'what the Alertmanager silences could not be read back');
      announce('alert-silences-unread', { ...member, code: errorCode(error) });
    },
  };
}
