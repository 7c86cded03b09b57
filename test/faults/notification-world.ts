/**
 * What happens around a notification service, step by step and by chance: reports, answers of the targets, steps of the clock, settings,
 * rows that people and the reference add and remove, manual retries; and what of it is known. Used by `notification-history.ts`.
 */
import type { TargetName } from '../../src/contracts/tables.ts';
import type { DeliveryResult } from '../../src/services/notification-service/ports.ts';
import { defaultRisks, type Risks } from '../support/notification-content.ts';
import {
  type FakeTarget,
  failure,
  hourMs,
  policiesOf,
  reportOf,
  type Timeline,
  testCluster,
  testOrg,
} from '../support/notification-timeline.ts';
import { type Chance, createChance } from './seeded.ts';
import type { Answer } from './silences.ts';
import { createToldIssues } from './told-issues.ts';

export interface TargetState {
  readonly target: FakeTarget;
  /** What each attempt may be answered with. */
  answers: readonly Answer[];
  cooldownHours: number;
  threshold: number;
  wantsTag: boolean;
  /** Issues of a cluster in a day; 0: as many as there are. */
  cap: number;
  /** Until when a cap may have held something back. */
  cappedUntilMs: number;
  sendsResolved: boolean;
  /** Its texts cannot be made. */
  isMute: boolean;
  /** Until when a message may have to wait although the target takes it: a pause, a lease, the time before the next try. */
  heldUntilMs: number;
}

interface Attempts {
  readonly answers: Answer[];
  lastMs: number;
}

/** A message that arrived, perhaps again. */
interface Arrival {
  readonly state: TargetState;
  readonly id: string;
  readonly issues: readonly string[];
  readonly atMs: number;
  /** Says that its issue is resolved; absent: that its issues are there. */
  readonly isResolved: boolean;
  /** The newest report of the cluster holds one of its issues. */
  readonly isReported: boolean;
}

const pauseMs = 2 * hourMs;
export const clusters = [testCluster, testCluster.replace('5d', '6d'), testCluster.replace('5d', '7d')];
export const errorKeys = [...Object.keys(defaultRisks), 'UNKNOWN'];
const moduleOfRule = 'ccx_rules_ocp.external.rules.test_rule';
const tag = 'osd_customer';

/** `log`: what the targets were asked, for whoever reads why something failed. */
export function createNotificationWorld(
  line: Timeline,
  how: { readonly seed: string; readonly chance: Chance; readonly log: string[] },
) {
  const { seed, chance, log } = how;
  const told = createToldIssues();
  const stateOf = (target: FakeTarget): TargetState => ({
    ...{ target, answers: ['delivered'], cooldownHours: 24, threshold: 2, wantsTag: false, isMute: false },
    ...{ cap: 0, cappedUntilMs: 0, sendsResolved: target.name === 'service-log', heldUntilMs: 0 },
  });
  const targets: Readonly<Record<TargetName, TargetState>> = {
    'notification-backend': stateOf(line.kafka),
    'service-log': stateOf(line.serviceLog),
  };
  const states = Object.values(targets);
  const idOf = ({ target }: TargetState) => target.eventTargetId;
  const issueOf = (state: TargetState, cluster: string, key: string) => `${idOf(state)} ${cluster} ${key}`;
  const cooldownOf = (state: TargetState) => state.cooldownHours * hourMs;
  const nowMs = () => line.clock.now().getTime();
  const wall = () => line.clock.now().toISOString();

  let risks: Risks = defaultRisks;
  let leftOut: string | undefined;
  const disabled = new Set<string>();
  /** Of the newest report of each cluster; undefined: it cannot be read. */
  const newest = new Map<string, readonly string[] | undefined>();
  /** Where and what those that were in force when it was last looked silence. */
  const acknowledged = new Map<string, { readonly scope: string; readonly key: string }>();
  let mended = clusters[0]!;
  let storedMicros = 0n;
  let setBackMs = 0;
  const clockStepsMs: number[] = [];
  let references = 0;
  /** How often the settings were changed. */
  let version = 0;
  const attempts = new Map<string, Attempts>();
  const arrivals: Arrival[] = [];
  let knownRows: ReadonlySet<string> = new Set();

  for (const state of states) {
    const { target } = state;
    target.answer = ({ notification }) => {
      const { id, cluster, issues } = notification;
      const before = attempts.get(id) ?? { answers: [], lastMs: 0 };
      const keys = issues.map(({ errorKey }) => errorKey).sort();
      // By what it is about: attempts of several messages come in any order.
      const answer = createChance(`${seed} ${wall()} ${target.name} ${cluster} ${keys.join()}`).pick(state.answers);
      before.answers.push(answer);
      before.lastMs = nowMs();
      attempts.set(id, before);
      log.push(`  ${wall()} ${target.name} ${cluster.slice(0, 2)} ${keys.join()} ${id.slice(-4)}: ${answer}`);
      if (answer === 'delivered' || answer === 'lost')
        arrivals.push({
          ...{ state, id, issues: keys.map((key) => issueOf(state, cluster, key)), atMs: nowMs() },
          isResolved: Object.hasOwn(JSON.parse(notification.body) as object, 'resolved'),
          isReported: keys.some((key) => newest.get(cluster)?.includes(key)),
        });
      else if (answer !== 'rejected')
        state.heldUntilMs = Math.max(state.heldUntilMs, nowMs() + (answer === 'paused' ? pauseMs : 61_000));
      if (answer === 'lost') state.heldUntilMs = Math.max(state.heldUntilMs, nowMs() + 61_000);
      return resultOf(answer);
    };
  }

  async function sentRows(): Promise<Map<string, { readonly target: number; readonly cluster: string }>> {
    const rows = (await line.reported()).filter(({ state }) => state === 1);
    return new Map(rows.map((row) => [`${row.target} ${row.cluster} ${row.notifiedAt}`, row]));
  }

  async function rowsChanged(): Promise<string[]> {
    const rows = await sentRows();
    const fresh = [...rows.keys()].filter((row) => !knownRows.has(row));
    knownRows = new Set(rows.keys());
    told.rowsAre(knownRows);
    return fresh;
  }

  /** As a writer stores it, whose times only grow. */
  async function store(cluster: string, text: string): Promise<void> {
    const nowMicros = BigInt(nowMs()) * 1000n;
    storedMicros = storedMicros >= nowMicros ? storedMicros + 1n : nowMicros;
    const at = `${new Date(Number(storedMicros / 1000n)).toISOString().slice(0, -1)}${String(storedMicros % 1000n).padStart(3, '0')}`;
    await line.store(text, { cluster, at: at.replace('T', ' ') });
  }

  async function storeIssues(cluster: string, keys: readonly string[]): Promise<void> {
    await store(cluster, reportOf(...keys));
    newest.set(cluster, keys);
  }

  /** A row that somebody else wrote so long ago. */
  async function sentBySomebody(state: TargetState, cluster: string, keys: readonly string[], agoMs: number) {
    references += 1;
    const atMs = nowMs() - agoMs - references;
    await line.storeSent(reportOf(...keys), { cluster, target: idOf(state), hoursAgo: (nowMs() - atMs) / hourMs });
    for (const row of await rowsChanged())
      for (const key of keys) told.sentByReference(row, issueOf(state, cluster, key), atMs);
  }

  function configure(): void {
    const changes = ({ cooldownHours, threshold, wantsTag, cap, sendsResolved }: TargetState) => ({
      ...{ clusterCap: cap, sendResolved: sendsResolved },
      ...{ cooldown: `${cooldownHours} hours`, totalRiskThreshold: threshold },
      ...{ tagFilterEnabled: wantsTag, tags: wantsTag ? [tag] : [] },
    });
    line.configure({
      policies: policiesOf(changes(targets['notification-backend']), changes(targets['service-log'])),
      clusters: {
        allowOnly: false,
        allowed: new Set(),
        block: leftOut !== undefined,
        blocked: new Set([leftOut ?? '']),
      },
    });
    version += 1;
  }

  configure();

  /** As they are stored; the end of one ends cooldowns. */
  async function lookAtAcknowledgements(): Promise<void> {
    const { rows } = await line.database.query<{ id: string }>(
      'SELECT id FROM ccx.acknowledgements WHERE ended_at IS NULL AND (until IS NULL OR until > $1::timestamp)',
      [wall().slice(0, -1)],
    );
    const inForce = new Set(rows.map(({ id }) => id));
    for (const [id, { scope, key }] of acknowledged) {
      if (inForce.has(id)) continue;
      acknowledged.delete(id);
      told.acknowledgementOver(
        (issue) => issue.endsWith(` ${key}`) && (scope === 'organization' || issue.includes(` ${scope} `)),
      );
    }
  }

  const isAcknowledged = (scope: string, key: string) =>
    [...acknowledged.values()].some((one) => one.scope === scope && one.key === key);

  /** All that stands against notifying the issue, by the names that it should have. */
  function filtersOf(state: TargetState, cluster: string, key: string): readonly string[] {
    const known = risks[key];
    const against = {
      'cluster-not-allowed': cluster === leftOut,
      'disabled-by-cluster': disabled.has(`${cluster} ${key}`) || isAcknowledged(cluster, key),
      'disabled-by-org': disabled.has(`organization ${key}`) || isAcknowledged('organization', key),
      'content-missing': known === undefined,
      'filtered-by-tag': known !== undefined && state.wantsTag && known.tags?.includes(tag) !== true,
      'below-threshold': known !== undefined && known.risk < state.threshold,
    };
    return Object.entries(against).flatMap(([name, holds]) => (holds ? [name] : []));
  }

  const steps: Readonly<Record<string, () => Promise<unknown> | unknown>> = {
    async report() {
      const cluster = chance.pick(clusters);
      const keys = chance.shuffle(errorKeys).slice(0, chance.below(4));
      await storeIssues(cluster, keys);
      return `${cluster.slice(0, 2)} ${keys.join()}`;
    },
    /** Often the one that was mended last, so that its issues are resolved. */
    async mended() {
      if (chance.below(3) === 0) mended = chance.pick(clusters);
      await storeIssues(mended, []);
      return mended.slice(0, 2);
    },
    async unreadable() {
      const cluster = chance.pick(clusters);
      await store(cluster, '{"reports": [');
      newest.set(cluster, undefined);
      return cluster.slice(0, 2);
    },
    async time() {
      const hours = chance.pick([0.01, 0.5, 5, 13, 30]);
      await line.clock.advance(hours * hourMs);
      return hours;
    },
    clock() {
      const hours = chance.pick([-30, -5, -0.1, 0.1, 5, 30]);
      line.clock.setNow(new Date(nowMs() + hours * hourMs));
      clockStepsMs.push(hours * hourMs);
      if (hours < 0) {
        setBackMs -= hours * hourMs;
        told.clockSetBack(-hours * hourMs);
      }
      return hours;
    },
    answers() {
      const state = chance.pick(states);
      const some: Answer[] = ['delivered', 'away', 'lost', 'rejected', 'paused'];
      const all: readonly Answer[][] = [
        ['delivered'],
        ['delivered'],
        ['away'],
        ['lost'],
        ['delivered', 'away', 'rejected'],
        some,
      ];
      state.answers = chance.pick(all);
      return `${state.target.name} ${state.answers.join()}`;
    },
    mute() {
      const state = chance.pick(states);
      state.isMute = !state.isMute;
      state.target.composing = state.isMute ? () => Promise.reject(failure('AWAY')) : undefined;
      return `${state.target.name} ${state.isMute}`;
    },
    disable() {
      const rule = `${chance.pick(['organization', ...clusters])} ${chance.pick(errorKeys)}`;
      if (!disabled.delete(rule)) disabled.add(rule);
      const rows = [...disabled].map((one) => one.split(' ') as [string, string]);
      const row = ([scope, errorKey]: [string, string]) => ({ scope, rule: moduleOfRule, errorKey });
      line.disable([
        rows.filter(([scope]) => scope !== 'organization').map(row),
        rows.filter(([scope]) => scope === 'organization').map(([, errorKey]) => row([String(testOrg), errorKey])),
      ]);
      return [...disabled].join();
    },
    async acknowledge() {
      const [scope, key] = [chance.pick(['organization', ...clusters]), chance.pick(errorKeys)];
      const hours = chance.pick([undefined, 1, 20]);
      const until = hours === undefined ? null : new Date(nowMs() + hours * hourMs).toISOString().slice(0, -1);
      const cluster = scope === 'organization' ? null : scope;
      const untilResolved = cluster !== null && chance.below(3) === 0;
      acknowledged.set(await line.acknowledge({ cluster, errorKey: key, until, untilResolved }), { scope, key });
      return `${scope} ${key} ${until} ${untilResolved}`;
    },
    async unacknowledge() {
      for (const id of acknowledged.keys()) await line.unacknowledge(id);
      await lookAtAcknowledgements();
    },
    content() {
      risks = { ...defaultRisks, LOW: { risk: chance.pick([1, 3]), tags: [tag] } };
      if (chance.below(3) === 0) risks = { ...risks, UNKNOWN: { risk: 4, tags: [] } };
      line.setRisks(risks);
      return JSON.stringify(risks);
    },
    settings() {
      const state = chance.pick(states);
      state.cooldownHours = chance.pick([6, 24, 48]);
      state.threshold = chance.pick([0, 2, 3]);
      state.wantsTag = chance.below(4) === 0;
      state.cap = chance.pick([0, 0, 1, 2]);
      state.sendsResolved = state.target.name === 'service-log' && chance.below(4) > 0;
      leftOut = chance.below(6) === 0 ? chance.pick(clusters) : undefined;
      configure();
      return `${state.target.name} ${state.cooldownHours} h, risk ${state.threshold}, tag ${state.wantsTag}, cap ${state.cap}, resolved ${state.sendsResolved}, without ${leftOut?.slice(0, 2)}`;
    },
    async removed() {
      const state = chance.pick(states);
      const newestOnly = chance.below(2) === 0;
      await line.database.query(
        `DELETE FROM reported WHERE event_type_id = $1 AND (NOT $2 OR (cluster, notified_at) IN
           (SELECT cluster, max(notified_at) FROM reported WHERE event_type_id = $1 AND state = 1 GROUP BY cluster))`,
        [idOf(state), newestOnly],
      );
      await rowsChanged();
      return `${state.target.name} ${newestOnly ? 'newest' : 'all'}`;
    },
    async foreign() {
      const state = chance.pick(states);
      const [cluster, hours] = [chance.pick(clusters), chance.pick([0.1, 5, 20, 30, 50])];
      const keys = chance.shuffle(errorKeys).slice(0, 1 + chance.below(3));
      await sentBySomebody(state, cluster, keys, hours * hourMs);
      return `${state.target.name} ${cluster.slice(0, 2)} ${keys.join()} ${hours} h ago`;
    },
    /** A run of the reference, which somebody went back to for a while. */
    async reference() {
      const state = chance.pick(states);
      const sent: string[] = [];
      for (const cluster of clusters) {
        const keys = newest.get(cluster);
        if (keys === undefined) continue;
        const { rows } = await line.database.query<{ report: string }>(
          `SELECT report FROM reported WHERE cluster = $1::character(36) AND event_type_id = $2 AND state = 1 AND notified_at > $3::timestamp
            ORDER BY notified_at DESC LIMIT 1`,
          [cluster, idOf(state), new Date(nowMs() - cooldownOf(state)).toISOString().slice(0, -1)],
        );
        const reported = rows[0]?.report ?? '';
        const due = keys.filter((key) => filtersOf(state, cluster, key).length === 0 && !reported.includes(`"${key}"`));
        if (due.length === 0) continue;
        await sentBySomebody(state, cluster, keys, 0);
        sent.push(`${cluster.slice(0, 2)} ${keys.join()}`);
      }
      return `${state.target.name} ${sent.join('; ')}`;
    },
    async retry() {
      const { rows } = await line.database.query<{ id: string }>(
        `UPDATE ccx.notification_outbox SET retry_requested_at = now() WHERE state IN ('dead', 'unknown') AND finished_at IS NOT NULL
           AND replaced_by IS NULL RETURNING id`,
      );
      return rows.map(({ id }) => id.slice(-4)).join();
    },
  };

  return {
    ...{ told, states, attempts, newest, steps, clockStepsMs },
    ...{ idOf, issueOf, cooldownOf, filtersOf, nowMs, wall, rowsChanged, storeIssues, lookAtAcknowledgements },
    configure,
    settingsVersion: () => version,
    /** By how much the clock was set back in all. */
    setBackHours: () => setBackMs / hourMs,
    /** What arrived since the last call. */
    takeArrivals: () => arrivals.splice(0),
    holdUntil(state: TargetState, ms: number): void {
      state.heldUntilMs = Math.max(state.heldUntilMs, ms);
    },
  };
}

function resultOf(answer: Answer): DeliveryResult {
  switch (answer) {
    case 'delivered':
      return { kind: 'delivered', detail: '' };
    case 'away':
      return { kind: 'retry', error: failure('AWAY'), afterMs: 0 };
    case 'lost':
      return { kind: 'unknown', error: failure('ANSWER_LOST'), afterMs: 0 };
    case 'rejected':
      return { kind: 'rejected', error: failure('REJECTED') };
    case 'paused':
      return { kind: 'paused', error: failure('TOO_MANY'), afterMs: pauseMs };
  }
}
