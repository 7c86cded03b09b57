/**
 * Keeps the Alertmanagers of one receiver told what is active: rounds at an interval, in one of the processes that share a database. Each
 * member has its own pace: one that hangs is left alone until it answers, or its deadline passes, and the others are posted to meanwhile.
 * Alertmanager forgets everything when it restarts, so that nothing here asks what it knows. Started by the composition root.
 */

import type { RuleContentDirectory } from '../../../contracts/rule-content.ts';
import type { CcxError } from '../../../encoding/ccx-error.ts';
import type { Clock } from '../../../platform/clock/clock.ts';
import { pause } from '../../../platform/clock/deadline.ts';
import type { Kept } from '../../../platform/clock/keep-last-good.ts';
import type { NotificationServiceSettings } from '../config.ts';
import type { DisabledRules } from '../decide/disabled-rules.ts';
import type { AlertMember, AlertReceiver } from '../ports.ts';
import { endLease, takeLease } from '../store/alerts.ts';
import { endPause, restTarget } from '../store/targets.ts';
import type { StoreAccess } from '../store/transact.ts';
import { asDeliveryFailure } from '../targets/transport-failure.ts';
import { dateOfMicros, microsOfMs, type TimeSource } from '../timestamps.ts';
import type { AlertEvents } from './alert-events.ts';
import { postAlerts } from './post-alerts.ts';
import { createLeftOut, type LeftOut } from './post-batch.ts';
import { readSilences } from './read-silences.ts';
import { type NumberedReceiver, settleAlerts } from './settle-alerts.ts';

/** A process that is gone is replaced after this and a beat: within 90 seconds. */
const leaseMs = 60_000;
const beatMsMax = 15_000;
/** What is silenced is read back as often. */
const readBackMsMax = 60_000;

/** What this process knows of one Alertmanager. */
interface MemberState {
  readonly address: string;
  readonly leftOut: LeftOut;
  /** Everything that ended until then it has been posted; undefined before it took a whole round. */
  toldUntilMicros: bigint | undefined;
  /** Never rejects. */
  posting: Promise<void> | undefined;
  failure: CcxError | undefined;
}

/** What the rounds of all receivers share. */
interface KeeperState {
  readonly settings: Pick<NotificationServiceSettings, 'clusters'>;
  readonly store: StoreAccess;
  readonly clock: Clock;
  readonly time: TimeSource;
  readonly content: Kept<RuleContentDirectory>;
  readonly disabledRules: Kept<DisabledRules>;
  readonly signal: AbortSignal;
}

export type AlertKeeper = ReturnType<typeof createAlertKeeper>;

export function createAlertKeeper(state: KeeperState, receiver: NumberedReceiver, events: AlertEvents) {
  const { store, clock, time, signal, settings } = state;
  const { target } = receiver;
  const { eventTargetId, name } = target;
  const alerts: AlertReceiver = target.alerts!;
  const token = clock.uuid();
  const members = new Map<string, MemberState>();
  let isHolder = false;
  let rests = false;
  let working: Promise<void> | undefined;
  let reading: Promise<void> | undefined;
  let readMs = Number.NEGATIVE_INFINITY;
  let startedMs = Number.NEGATIVE_INFINITY;
  let looping: Promise<void> | undefined;

  const stateOf = ({ key, address }: AlertMember): MemberState => {
    const known = members.get(key);
    if (known !== undefined) return known;
    const leftOut = createLeftOut(() => clock.monotonicMs());
    const made: MemberState = {
      ...{ address, leftOut, toldUntilMicros: undefined, posting: undefined, failure: undefined },
    };
    members.set(key, made);
    return made;
  };

  const holds = async (): Promise<boolean> => {
    const untilMicros = time.nowMicros() + microsOfMs(leaseMs);
    const held = await takeLease(store, { eventTargetId, token, untilMicros });
    if (held && !isHolder) events.leaseTaken(name);
    isHolder = held;
    return held;
  };

  const postTo = async (member: AlertMember, one: MemberState) => {
    const nowMicros = time.nowMicros();
    // What ended before has ended there by itself. After a start nobody knows what was posted; a repeat changes nothing.
    const endedSinceMicros = one.toldUntilMicros ?? nowMicros - microsOfMs(alerts.resolveAfterMs);
    try {
      one.failure = await postAlerts(store, {
        ...{ target, member, leftOut: one.leftOut, events, signal },
        endedSinceMicros: alerts.endsAlerts ? endedSinceMicros : undefined,
        context: {
          content: await state.content.get(),
          ruleDetailsUri: alerts.ruleDetailsUri,
          now: dateOfMicros(nowMicros),
          resolveAfterMs: alerts.resolveAfterMs,
        },
      });
      if (one.failure === undefined && !signal.aborted) one.toldUntilMicros = nowMicros;
    } catch (thrown) {
      one.failure = asDeliveryFailure(thrown, 'posting alerts', 'ALERTS_FAILED');
      events.postingFailed({ target: name, address: member.address }, one.failure);
    }
  };

  /** `ccx receivers list` and `ccx explain` say so where nobody takes anything. */
  const sayWhetherItRests = async (current: readonly MemberState[]) => {
    const error = current.find((one) => one.failure !== undefined)?.failure;
    const isDown = error !== undefined && current.every((one) => one.failure !== undefined);
    if (isDown) {
      const untilMicros = time.nowMicros() + microsOfMs(2 * alerts.intervalMs);
      await restTarget(store, { eventTargetId, untilMicros, error });
    } else if (rests) await endPause(store, eventTargetId);
    rests = isDown;
  };

  /** Answers when it is decided what is active; `posted` resolves when each member was posted that, or was not. */
  const beginRound = async (): Promise<{ readonly posted: Promise<unknown> }> => {
    const [content, rules] = [await state.content.get(), await state.disabledRules.get()];
    const counts = await settleAlerts(store, receiver, { content, rules, clusters: settings.clusters, signal });
    if (signal.aborted) return { posted: Promise.resolve() };
    events.alertsSettled(name, counts);
    const current = await alerts.members();
    for (const key of members.keys()) if (!current.some((member) => member.key === key)) members.delete(key);
    const posting = current.map((member) => {
      const one = stateOf(member);
      one.posting ??= postTo(member, one).finally(() => {
        one.posting = undefined;
      });
      return one.posting;
    });
    if (clock.monotonicMs() - readMs >= Math.min(readBackMsMax, alerts.intervalMs)) {
      readMs = clock.monotonicMs();
      reading ??= readSilences(store, { target, members: current, events, signal })
        .catch((error: unknown) => events.silencesUnread({ target: name, address: target.name }, error))
        .finally(() => {
          reading = undefined;
        });
    }
    const posted = Promise.all(posting)
      .then(() => sayWhetherItRests(current.map(stateOf)))
      .catch((error: unknown) => events.roundFailed(name, error));
    return { posted };
  };

  const beat = async () => {
    const isDue = clock.monotonicMs() - startedMs >= alerts.intervalMs;
    if (!(await holds()) || working !== undefined || !isDue) return;
    startedMs = clock.monotonicMs();
    working = beginRound()
      .then(
        () => undefined,
        (error: unknown) => void (signal.aborted || events.roundFailed(name, error)),
      )
      .finally(() => {
        working = undefined;
      });
  };

  const loop = async () => {
    while (!signal.aborted) {
      await beat().catch((error: unknown) => events.roundFailed(name, error));
      await pause(clock, Math.min(alerts.intervalMs, beatMsMax), signal);
    }
  };

  return {
    /** One round, whoever asks for it, with all that it does; nothing where another process posts. Rejects where it could not be begun. */
    async round(): Promise<void> {
      if (!(await holds())) return;
      const { posted } = await beginRound();
      await posted;
      await reading;
    },
    /** Rounds until the signal aborts. */
    start(): void {
      looping = loop();
    },
    /** Members that did not take everything, as anybody may see them, with why. */
    failures: (): readonly string[] =>
      [...members.values()].flatMap(({ failure, address }) =>
        failure === undefined ? [] : [`receiver ${name}, ${address}: ${failure.message}`],
      ),
    /** After the signal was aborted: what was begun has ended, and whoever waits may take over. */
    async ended(): Promise<void> {
      await looping;
      await working;
      await Promise.all([...members.values()].map(({ posting }) => posting));
      await reading;
      if (isHolder) await endLease(store, { eventTargetId, token });
    },
  };
}
