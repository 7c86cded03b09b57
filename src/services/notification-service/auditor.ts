/**
 * The auditor: looks through what the service keeps for what was decided and never finished, and for what contradicts itself. It changes
 * nothing and trusts nobody's memory: everything is read anew. `ccx notifications audit` goes through once; the running service now and
 * then, beside its runs, a page at a time. Source: consumers.md 4.4 R15, 5.1.
 */
import {
  TABLE_CLUSTER_OWNERS,
  TABLE_NOTIFICATION_CONSIDERED,
  TARGET_NOTIFICATIONS_BACKEND,
  TARGET_SERVICE_LOG,
} from '../../contracts/tables.ts';
import type { Clock } from '../../platform/clock/clock.ts';
import { pause } from '../../platform/clock/deadline.ts';
import type { Database, Queryable } from '../../platform/database/database.ts';
import { longestCooldown } from '../../platform/records/cooldowns.ts';
import type { AuditEvents } from './audit-events.ts';
import {
  type AuditContext,
  type AuditResult,
  describedMicros,
  type Finding,
  type FindingKind,
  judgeFinished,
  judgeUnfinished,
  type LookedThrough,
} from './decide/find-faults.ts';
import { unknownResendMsMax } from './limits.ts';
import {
  type AuditBounds,
  duePage,
  finishedPage,
  type LedgerFacts,
  ledgerPage,
  type Page,
  type PageRequest,
  reportsPage,
  sentRowsPage,
  unfinishedPage,
  wishesPage,
} from './store/audit-pages.ts';
import { readReceiverNames } from './store/targets.ts';
import { microsOfMs, timestampText } from './timestamps.ts';

/** Rows of a page: messages with their bodies and what belongs to them, and narrow rows. */
const messagesPerPage = 200;
const rowsPerPage = 2_000;
/** Bodies that were finished in the last three rounds are read as their receiver would; in a round of its own those of a day. */
const roundsOfBodies = 3;
const bodiesMsOfCommand = 24 * 3_600_000;
/** Reports are looked at back to this. */
const reportsMsMax = 24 * 3_600_000;
/** Pause between two pages beside a running service. */
const pageGapMs = 100;
/** The first round begins after this part of the pause between two. */
const firstRoundPart = 10;

interface Walk {
  /** What is looked through, for people. */
  readonly name: string;
  pages(queryable: Queryable, bounds: AuditBounds, context: AuditContext): AsyncGenerator<JudgedPage>;
}

interface JudgedPage {
  readonly rows: number;
  readonly findings: readonly Finding[];
}

function walk<Fact, Key>(what: {
  readonly name: string;
  readonly rowsMax: number;
  readonly read: (queryable: Queryable, bounds: AuditBounds, page: PageRequest<Key>) => Promise<Page<Fact, Key>>;
  readonly judge: (fact: Fact, context: AuditContext) => readonly Finding[];
}): Walk {
  return {
    name: what.name,
    async *pages(queryable, bounds, context) {
      let after: Key | undefined;
      do {
        const page = await what.read(queryable, bounds, { after, rowsMax: what.rowsMax });
        yield { rows: page.rows, findings: page.facts.flatMap((fact) => what.judge(fact, context)) };
        after = page.next;
      } while (after !== undefined);
    },
  };
}

/** Cheap ones first: where time is short, what matters most has been looked at. */
const walks: readonly Walk[] = [
  walk({
    name: 'unfinished messages',
    rowsMax: messagesPerPage,
    read: unfinishedPage,
    judge: judgeUnfinished,
  }),
  walk({
    name: 'wishes to try again',
    rowsMax: rowsPerPage,
    read: wishesPage,
    judge: ({ id, sinceMicros, ...where }, context) => [
      { kind: 'wish-not-taken', ...where, subject: `notifications/${id}`, detail: since(sinceMicros, context) },
    ],
  }),
  walk({
    name: 'clusters that are due',
    rowsMax: rowsPerPage,
    read: duePage,
    judge: ({ hasReport, sinceMicros, ...where }, context) => {
      const subject = `clusters/${where.cluster}`;
      return hasReport ? [{ kind: 'due-not-decided', ...where, subject, detail: since(sinceMicros, context) }] : [];
    },
  }),
  walk({
    name: 'finished messages',
    rowsMax: messagesPerPage,
    read: finishedPage,
    judge: judgeFinished,
  }),
  walk({
    name: 'sent rows of ours in reported',
    rowsMax: rowsPerPage,
    read: sentRowsPage,
    judge: ({ alone, orgId, notifiedAt, ...where }) => {
      const subject = `reported/${orgId}/${where.cluster}/${notifiedAt}`;
      const detail = 'no message has this reported_at';
      return alone ? [{ kind: 'sent-row-without-message', ...where, subject, detail }] : [];
    },
  }),
  walk({
    name: 'issues in the ledger',
    rowsMax: rowsPerPage,
    read: ledgerPage,
    judge: judgeLedger,
  }),
  walk({
    name: 'reports',
    rowsMax: rowsPerPage,
    read: reportsPage,
    judge: ({ cluster, orgId, updatedAt, updatedMicros, undecidedFor }, context) => {
      const subject = `new_reports/${orgId}/${cluster}/${updatedAt}`;
      const detail = since(updatedMicros, context);
      return undecidedFor.map((eventTargetId) => ({
        kind: 'report-not-decided',
        eventTargetId,
        cluster,
        subject,
        detail,
      }));
    },
  }),
];

function since(micros: bigint, { nowMicros }: AuditContext): string {
  return `for ${describedMicros(nowMicros - micros)}`;
}

function judgeLedger({ pendingWithoutMessage, notifiedWithoutRow, ...facts }: LedgerFacts): Finding[] {
  const { eventTargetId, cluster, component, errorKey, notificationId } = facts;
  const where = { eventTargetId, cluster, subject: `issues/${cluster}/${component}|${errorKey}` };
  const message = notificationId === null ? 'it names no message' : `its message is notifications/${notificationId}`;
  return [
    ...(pendingWithoutMessage ? [{ ...where, kind: 'pending-without-message', detail: message } as const] : []),
    ...(notifiedWithoutRow ? [{ ...where, kind: 'notified-without-row', detail: message } as const] : []),
  ];
}

interface AuditSettings {
  /** What has been due for longer is a finding. */
  readonly overdueMs: number;
  readonly retryWindowMs: number;
}

interface AuditScope extends AuditSettings {
  readonly nowMicros: bigint;
  /** Empty: every target. */
  readonly targets: readonly number[];
  /** Targets for which somebody decides; undefined: those for which somebody ever did. */
  readonly decidingFor: readonly number[] | undefined;
  readonly bodiesMs: number;
  readonly readsBodies: boolean;
  readonly ownersCount: boolean;
}

async function boundsOf(database: Database, scope: AuditScope): Promise<AuditBounds> {
  const before = (ms: number) => timestampText(scope.nowMicros - microsOfMs(ms));
  const now = timestampText(scope.nowMicros);
  const receivers = await readReceiverNames(database);
  const knownTargets = [TARGET_NOTIFICATIONS_BACKEND, TARGET_SERVICE_LOG, ...receivers.keys()];
  const { rows } = await database.query<{ since: string | null; owned: boolean; deciding: readonly number[] }>(
    `SELECT ($1::timestamp - $2::interval)::text AS since, to_regclass($3) IS NOT NULL AS owned,
            ARRAY(SELECT t.id FROM unnest($4::int[]) AS t(id)
                   WHERE EXISTS (SELECT FROM ${TABLE_NOTIFICATION_CONSIDERED} AS c WHERE c.event_type_id = t.id)) AS deciding`,
    [now, (await longestCooldown(database)) ?? null, TABLE_CLUSTER_OWNERS, knownTargets],
  );
  const { since, owned, deciding } = rows[0]!;
  const eventTargetIds = scope.targets.length > 0 ? scope.targets : knownTargets;
  return {
    eventTargetIds,
    decidingIds: (scope.decidingFor ?? deciding).filter((id) => eventTargetIds.includes(id)),
    overdueBefore: before(scope.overdueMs),
    cooldownSince: since ?? undefined,
    bodiesSince: before(scope.bodiesMs),
    reportsSince: before(scope.overdueMs + reportsMsMax),
    ownersCount: scope.ownersCount && owned,
  };
}

function contextOf({ nowMicros, overdueMs, retryWindowMs, readsBodies }: AuditScope): AuditContext {
  return {
    ...{ nowMicros, readsBodies },
    overdueMicros: microsOfMs(overdueMs),
    retryWindowMicros: microsOfMs(retryWindowMs),
    resendWindowMicros: microsOfMs(unknownResendMsMax),
  };
}

/** `goOn` is asked before each page; once it says no, nothing more is read. */
async function lookThrough(
  database: Database,
  scope: AuditScope,
  { findingsMax, goOn }: { readonly findingsMax: number; readonly goOn: () => Promise<boolean> },
): Promise<AuditResult> {
  const bounds = await boundsOf(database, scope);
  const context = contextOf(scope);
  const findings: Finding[] = [];
  const counts = new Map<FindingKind, number>();
  const lookedThrough: LookedThrough[] = [];
  let ended = false;
  for (const { name, pages } of walks) {
    let rows = 0;
    let complete = false;
    const walked = pages(database, bounds, context);
    while (!complete && !ended) {
      ended = !(await goOn());
      if (ended) break;
      const page = await walked.next();
      complete = page.done === true;
      if (page.done === true) break;
      rows += page.value.rows;
      for (const finding of page.value.findings) {
        const count = (counts.get(finding.kind) ?? 0) + 1;
        counts.set(finding.kind, count);
        if (count <= findingsMax) findings.push(finding);
      }
    }
    lookedThrough.push({ name, rows, complete });
  }
  return { findings, counts, lookedThrough };
}

/** Goes through once, as far as the time reaches. */
export async function auditOnce(
  database: Database,
  what: AuditSettings & {
    readonly nowMicros: bigint;
    readonly targets?: readonly number[];
    readonly clock: Clock;
    readonly msMax: number;
    readonly findingsMax: number;
    /** False in tests whose targets have bodies of their own. */
    readonly readsBodies?: boolean;
  },
): Promise<AuditResult> {
  const scope: AuditScope = {
    ...{ targets: [], readsBodies: true, ...what },
    ...{ decidingFor: undefined, bodiesMs: bodiesMsOfCommand, ownersCount: true },
  };
  const endMs = what.clock.monotonicMs() + what.msMax;
  return await lookThrough(database, scope, {
    findingsMax: what.findingsMax,
    goOn: async () => what.clock.monotonicMs() < endMs,
  });
}

/**
 * Goes through again and again, a page at a time with pauses between, so that no run waits for it. A round that fails is said, and the
 * next one comes.
 */
export function startAuditing(
  settings: AuditSettings & { readonly everyMs: number },
  how: {
    readonly database: Database;
    readonly clock: Clock;
    readonly nowMicros: () => bigint;
    readonly events: AuditEvents;
    readonly signal: AbortSignal;
    /** Of the enabled targets. */
    readonly decidingFor: readonly number[];
    readonly ownersCount: boolean;
    /** True once a run has ended: what lay about while nobody ran is no finding. */
    readonly hasRun: () => boolean;
  },
): { readonly ended: Promise<void> } {
  const { database, clock, signal, events, hasRun, nowMicros: _, ...rest } = how;
  const goOn = async () => {
    await pause(clock, pageGapMs, signal);
    return !signal.aborted;
  };
  const round = async () => {
    const bodiesMs = roundsOfBodies * settings.everyMs;
    const nowMicros = how.nowMicros();
    const scope: AuditScope = { ...settings, ...rest, targets: [], readsBodies: true, nowMicros, bodiesMs };
    const result = await lookThrough(database, scope, { findingsMax: 1, goOn });
    if (!signal.aborted) events.auditEnded(result);
  };
  const loop = async () => {
    await pause(clock, settings.everyMs / firstRoundPart, signal);
    while (!signal.aborted) {
      const ready = hasRun();
      if (ready) await round().catch(events.auditFailed);
      await pause(clock, ready ? settings.everyMs : settings.everyMs / firstRoundPart, signal);
    }
  };
  return { ended: loop() };
}
