/**
 * A history of a notification service by chance (`notification-world.ts`), with runs of it: of a new process or one that lives on, two at
 * once, some that die or lose answers of the database. Behind each run it is checked against a model of its own that no issue was notified
 * twice within its cooldown, and that the reason that `ccx explain` gives for each silence is true; in the end, when everything works and
 * time has passed, that nothing was lost. The same seed gives the same history. Used by `histories.pg.test.ts`.
 */
import assert from 'node:assert/strict';
import { formatExplanation } from '../../src/services/notification-service/format-explanation.ts';
import type { NotificationService } from '../../src/services/notification-service/service.ts';
import { type ExplainedIssue, readExplanation } from '../../src/services/notification-service/store/explain.ts';
import { clockStepMsMin } from '../../src/services/notification-service/timestamps.ts';
import {
  createCrashingTelemetry,
  dayMs,
  hourMs,
  passPauses,
  type Timeline,
  testSettings,
} from '../support/notification-timeline.ts';
import { clusters, createNotificationWorld, errorKeys, type TargetState } from './notification-world.ts';
import { createChance } from './seeded.ts';
import { lieOf, type SilenceFacts } from './silences.ts';

const deaths = [
  ...['issue-decided', 'notification-enqueued', 'notification-attempted', 'notification-delivered'],
  ...['outcome-recorded', 'unsent-rows-written'],
];

/** Rejects with what was broken first, behind everything that had happened. */
export async function playHistory(line: Timeline, seed: string, rounds: number): Promise<{ readonly told: number }> {
  const history = createHistory(line, seed);
  try {
    for (let round = 0; round < rounds; round += 1) await history.round();
    await history.end();
  } catch (error) {
    throw new Error(`${String(error)}\nin the history of ${seed}:\n${history.log.join('\n')}`, { cause: error });
  }
  return { told: history.told() };
}

function createHistory(line: Timeline, seed: string) {
  const chance = createChance(seed);
  const log: string[] = [];
  const world = createNotificationWorld(line, { seed, chance, log });
  const { told, states, attempts, newest, idOf, issueOf, cooldownOf, filtersOf, nowMs, wall } = world;
  let kept: { readonly service: NotificationService; readonly settings: number; steps: number } | undefined;
  /** Messages whose sending had begun when their process died: they are repeated as they are. */
  const begun = new Set<string>();
  /** The cooldown by which a message that waits was decided. */
  const decidedBy = new Map<string, number>();
  /** Messages that said that an issue is resolved. */
  const resolvedIds = new Set<string>();
  /** When a message was first seen to be listed as possibly arrived. */
  const listed = new Map<string, number>();
  /** How a run goes: answers whether it came to its end. */
  const runs: Readonly<Record<string, () => Promise<boolean>>> = {
    async fresh() {
      await passPauses(line, line.run());
      return true;
    },
    /** Of a process that lives on, and sees what the clock does. */
    async kept() {
      const settings = world.settingsVersion();
      const slept = world.clockStepsMs.slice(kept?.steps);
      // Steps that cancel out while a process sleeps are none to it, and what others wrote in between is late.
      const seesNone = slept.some((ms) => ms < 0) && slept.reduce((sum, ms) => sum + ms, 0) > -clockStepMsMin;
      if (kept?.settings !== settings || seesNone) kept = { service: await line.another(), settings, steps: 0 };
      kept.steps = world.clockStepsMs.length;
      await passPauses(line, kept.service.runOnce());
      return true;
    },
    async 'two at once'() {
      const both = [await line.another(), await line.another()];
      await passPauses(line, Promise.all(both.map((service) => service.runOnce())));
      for (const service of both) await service.stop();
      return true;
    },
    async dies() {
      const [event, nth] = [chance.pick(deaths), 1 + chance.below(3)];
      const service = await line.another({}, createCrashingTelemetry(event, nth));
      const dead = await service.runOnce().then(
        () => false,
        (error: unknown) => {
          assert.match(String(error), /crash at/);
          return true;
        },
      );
      await service.stop();
      if (dead) log.push(`  died at ${event} ${nth}`);
      return !dead;
    },
    async 'commits lost'() {
      line.faults.commitsLost = 1 + chance.below(2);
      await passPauses(line, line.run());
      line.faults.commitsLost = 0;
      return true;
    },
    async 'no content'() {
      line.failContent(true);
      await assert.rejects(line.run(), { code: 'CONTENT_UNAVAILABLE' });
      line.failContent(false);
      return false;
    },
  };

  async function run(kind: string): Promise<void> {
    log.push(`${wall()} run, ${kind}`);
    const ended = await runs[kind]!();
    if (!ended) {
      const { rows } = await line.database.query<{ id: string }>(
        `SELECT id FROM ccx.notification_outbox WHERE state = 'claimed'`,
      );
      for (const { id } of rows) begun.add(id);
      for (const state of states) world.holdUntil(state, nowMs() + testSettings().delivery.leaseMs + 1_000);
    }
    for (const state of states)
      if (state.cap > 0) state.cappedUntilMs = Math.max(state.cappedUntilMs, (Math.floor(nowMs() / dayMs) + 1) * dayMs);
    await world.lookAtAcknowledgements();
    await checkArrivals();
    if (ended) await checkReasons();
  }

  /** Nobody is notified twice within a cooldown, and what is delivered leaves its row. */
  async function checkArrivals(): Promise<void> {
    const { rows } = await line.database.query<{ id: string }>(
      'SELECT replaced_by AS id FROM ccx.notification_outbox WHERE replaced_by IS NOT NULL',
    );
    const arrivals = world.takeArrivals();
    const wished = new Set(rows.map(({ id }) => id));
    const now = new Set(arrivals.map(({ id }) => id));
    for (const { state, id, issues, atMs, isResolved, isReported } of arrivals) {
      const isNew = !told.hasArrived(id) && !wished.has(id) && !begun.has(id);
      if (isResolved) {
        if (isNew && !resolvedIds.has(id)) {
          assert.ok(!isReported, `${id} says that ${issues.join()} is resolved, and it is there`);
          assert.ok(
            told.resolved(issues[0]!),
            `${id} says that ${issues.join()} is resolved, and nobody was told of it`,
          );
        }
        resolvedIds.add(id);
        continue;
      }
      const cooldownMs = Math.min(decidedBy.get(id) ?? Number.POSITIVE_INFINITY, cooldownOf(state));
      const forbidding = isNew ? issues.flatMap((issue) => told.forbidding(issue, { nowMs: atMs, cooldownMs })) : [];
      assert.deepEqual(
        // What a person asked for goes out beside what is on its way already.
        forbidding.filter(
          (telling) => telling.id !== id && !(wished.has(telling.id) && (decidedBy.has(id) || now.has(telling.id))),
        ),
        [],
        `${id} notifies ${issues.join(' and ')} again at ${new Date(atMs).toISOString()}`,
      );
      for (const issue of issues) told.arrived(id, issue, atMs);
    }
    for (const row of await world.rowsChanged()) {
      for (const { id, issues } of arrivals)
        if (
          attempts.get(id)!.answers.at(-1) === 'delivered' &&
          issues.some((issue) => row.startsWith(issue.slice(0, issue.lastIndexOf(' '))))
        )
          told.recorded(id, row);
    }
    const waiting = await line.database.query<{ id: string; target: number }>(
      'SELECT id, event_type_id AS target FROM ccx.notification_outbox WHERE finished_at IS NULL',
    );
    for (const { id, target } of waiting.rows)
      if (!decidedBy.has(id)) decidedBy.set(id, cooldownOf(states.find((state) => idOf(state) === target)!));
  }

  /** Every issue of every newest report has a reason, and all reasons are true. */
  async function checkReasons(): Promise<void> {
    const now = wall().replace('T', ' ').slice(0, -1);
    for (const [cluster, keys] of newest) {
      if (keys === undefined) continue;
      const explanation = await readExplanation(line.database, cluster, { now });
      for (const state of states) {
        const issues = explanation.issues.filter(({ event_type_id }) => event_type_id === idOf(state));
        for (const key of keys)
          assert.ok(
            issues.some(({ error_key }) => error_key === key),
            `no reason for ${issueOf(state, cluster, key)}`,
          );
        for (const issue of issues) {
          const text = formatExplanation(cluster, { ...explanation, issues: [issue], history: [] });
          const reason = /^ {4}([a-z-]+): /m.exec(text)?.[1] ?? '';
          const lie = lieOf(reason, factsOf(state, cluster, issue));
          assert.equal(
            lie,
            undefined,
            `${issueOf(state, cluster, issue.error_key)} is said to be ${reason}: ${lie}\n${text}`,
          );
        }
      }
    }
  }

  /** What is known of the issue beside the reason. */
  function factsOf(state: TargetState, cluster: string, issue: ExplainedIssue): SilenceFacts {
    const id = issue.notification_id ?? '';
    const { answers, lastMs } = attempts.get(id) ?? { answers: [], lastMs: 0 };
    const inForce = { nowMs: nowMs(), cooldownMs: cooldownOf(state) };
    const isRecorded = told.isRecorded(id);
    if (issue.state === 'unknown' && !listed.has(id)) listed.set(id, inForce.nowMs);
    return {
      ...inForce,
      ...{ answers, lastAnswerMs: lastMs, isMute: state.isMute },
      isReported: newest.get(cluster)?.includes(issue.error_key) === true,
      filters: filtersOf(state, cluster, issue.error_key),
      isUnsettled: begun.has(id) && !isRecorded,
      mayHaveArrived: answers.includes('lost') || begun.has(id) || (answers.includes('delivered') && !isRecorded),
      isFree: state.answers.every((answer) => answer === 'delivered') && inForce.nowMs >= state.heldUntilMs,
      isCapped: inForce.nowMs < state.cappedUntilMs,
      hasRow: told.mayCount(issueOf(state, cluster, issue.error_key), inForce),
      listedMs: listed.get(id) ?? inForce.nowMs,
    };
  }

  return {
    log,
    told: () => line.kafka.arrived.length + line.serviceLog.arrived.length,
    async round() {
      for (let count = 0; count <= chance.below(3); count += 1) {
        const name = chance.pick([
          ...Object.keys(world.steps),
          'report',
          'report',
          'mended',
          'time',
          'time',
          'answers',
        ]);
        const at = wall();
        const what = await world.steps[name]!();
        log.push(`${at} ${name} ${String(what ?? '')}`);
      }
      await run(chance.pick([...Object.keys(runs), 'fresh', 'fresh', 'kept', 'kept']));
    },
    /** Everything works, and time passes: all that is to be notified was, within the last cooldown. */
    async end() {
      for (const state of states) {
        Object.assign(state, { answers: ['delivered'], isMute: false, cap: 0 });
        state.target.composing = undefined;
      }
      world.configure();
      await world.steps['unacknowledge']!();
      await world.storeIssues(clusters[0]!, errorKeys);
      for (const hours of [world.setBackHours() + 100, 25, 25, 25]) {
        await line.clock.advance(hours * hourMs);
        await run('fresh');
      }
      for (const [cluster, keys] of newest) {
        for (const key of keys ?? []) {
          for (const state of states) {
            if (filtersOf(state, cluster, key).length > 0) continue;
            const name = issueOf(state, cluster, key);
            assert.ok(told.mayCount(name, { nowMs: nowMs(), cooldownMs: cooldownOf(state) }), `${name} is lost`);
          }
        }
      }
    },
  };
}
