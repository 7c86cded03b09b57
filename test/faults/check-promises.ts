/**
 * Judges what an installation has left behind (`evidence.ts`) against what `docs/guarantees.md` promises. Pure: evidence and what was
 * uploaded go in, complaints come out; none means that every promise was kept. The invariants are those of consumers.md 5.1:
 *
 * I1 every decided notification has ended in exactly one way: delivered, or what the test says. I2 distinct ids on the wire are distinct
 * decided notifications. I3 no issue is told under two ids (all of it happens within one cooldown). I4 what is recorded as delivered has
 * arrived. I5 nothing on the wire breaks its schema. I6 nothing is told that is not due. I7 no secret is told by any process. I8 no file is
 * written outside the work folder.
 */
import {
  STATE_ERROR,
  STATE_SENT,
  TARGET_NOTIFICATIONS_BACKEND,
  TARGET_SERVICE_LOG,
} from '../../src/contracts/tables.ts';
import type { Evidence } from './evidence.ts';

export interface Uploaded {
  readonly cluster: string;
  /** Error keys that its owners are to be told of, on both targets. */
  readonly findings: readonly string[];
  /** Request ids that were answered with 202. */
  readonly accepted: readonly string[];
  /** The code that it has to be dead-lettered with; absent: it becomes a report. */
  readonly putAside?: string;
}

export interface Expectation {
  readonly uploads: readonly Uploaded[];
  /** Codes of dead letters of messages that no upload has caused. */
  readonly garbage?: readonly string[];
}

/** What one fault of the notification service has to leave behind. */
export interface NotificationExpectation {
  /** What is told by now, on every target that is named; all targets by default. */
  readonly told: readonly {
    readonly cluster: string;
    readonly findings: readonly string[];
    readonly targets?: readonly number[];
  }[];
  /** Messages that have not been delivered, by state. */
  readonly endings?: Readonly<Record<string, number>>;
}

export interface NotificationEvidence
  extends Pick<Evidence, 'wire' | 'refused' | 'outbox' | 'ledger' | 'reported' | 'audited'> {
  /** Secrets that a process has told, with where. */
  readonly leaks: readonly string[];
  /** Files that a process has written outside its work folder. */
  readonly strays: readonly string[];
}

const targets = [TARGET_NOTIFICATIONS_BACKEND, TARGET_SERVICE_LOG];

export function complaintsAbout(evidence: Evidence, expectation: Expectation): string[] {
  return [
    ...judgeReports(evidence, expectation),
    ...judgeDeadLetters(evidence, expectation),
    ...judgeOutbox(evidence),
    ...judgeWire(evidence, dueIssues(expectation.uploads)),
    ...judgeRecords(evidence),
    ...judgeHistory(evidence, expectation),
    ...judgeAudit(evidence),
    ...evidence.lags.map((lag) => `not read to its end: ${lag}`),
    ...evidence.refused.map((text) => `refused by a receiver: ${text}`),
    ...evidence.leftovers.map((name) => `left behind: ${name}`),
  ];
}

/** I1 to I8 of the notification service alone, behind a fault of any kind. */
export function complaintsAboutNotifications(
  evidence: NotificationEvidence,
  { told, endings = {} }: NotificationExpectation,
): string[] {
  const due = told.flatMap(({ cluster, findings, targets: on = targets }) =>
    findings.flatMap((finding) => on.map((target) => issueOf(target, cluster, finding))),
  );
  return [
    ...judgeEndings(evidence, endings),
    ...judgeWire(evidence, due),
    ...judgeLedger(evidence),
    ...judgeAudit(evidence),
    ...evidence.refused.map((text) => `refused by a receiver: ${text}`),
    ...evidence.leaks.map((text) => `a secret was told: ${text}`),
    ...evidence.strays.map((text) => `written outside the work folder: ${text}`),
  ];
}

/** One row or one dead letter per announcement: no accepted upload is lost, and no repeat makes a second row. */
function judgeReports(evidence: Evidence, { uploads }: Expectation): string[] {
  const complaints: string[] = [];
  const announced = new Map(evidence.announcements.map(({ requestId, at }) => [`${requestId} of ${at}`, requestId]));
  const stored = Map.groupBy(evidence.reports, ({ requestId, lastChecked }) => `${requestId} of ${lastChecked}`);
  const putAside = new Set(evidence.deadLetters.map(({ requestId }) => requestId));
  for (const [request, rows] of stored) {
    if (rows.length > 1) complaints.push(`${rows.length} rows of new_reports for request ${request}`);
    if (!announced.has(request))
      complaints.push(`a row of new_reports for request ${request}, which was never announced`);
  }
  for (const [request, id] of announced)
    if (!stored.has(request) && !putAside.has(id)) complaints.push(`no row of new_reports for request ${request}`);
  const requests = new Set(evidence.reports.map(({ requestId }) => requestId));
  const traced = new Set(evidence.traced);
  for (const { cluster, accepted, putAside: code } of uploads) {
    const isStored = evidence.reports.some((row) => row.cluster === cluster);
    if (isStored !== (code === undefined))
      complaints.push(`${isStored ? 'a' : 'no'} row of new_reports for cluster ${cluster}`);
    for (const id of code === undefined ? accepted : []) {
      if (!requests.has(id)) complaints.push(`no row of new_reports for the accepted request ${id}`);
      if (!traced.has(id)) complaints.push(`no trace of the row of the accepted request ${id}`);
    }
  }
  if (evidence.recordsWithoutReport > 0)
    complaints.push(`${evidence.recordsWithoutReport} records of stored messages without their row`);
  return complaints;
}

/** Put aside once or, when the process died behind it, again; nothing else is. */
function judgeDeadLetters({ deadLetters, announcements }: Evidence, { uploads, garbage = [] }: Expectation): string[] {
  const complaints: string[] = [];
  const expected = uploads.flatMap(({ accepted, putAside }) =>
    putAside === undefined ? [] : accepted.map((requestId) => ({ requestId, code: putAside })),
  );
  const codes = new Set([...garbage, ...expected.map(({ code }) => code)]);
  const ids = new Set(announcements.map(({ requestId }) => requestId));
  for (const { code, requestId, topic } of deadLetters)
    if (!codes.has(code) || (!garbage.includes(code) && !ids.has(requestId)))
      complaints.push(`dead letter ${code} of request ${requestId} in ${topic}`);
  for (const { requestId, code } of expected)
    if (!deadLetters.some((letter) => letter.requestId === requestId && letter.code === code))
      complaints.push(`no dead letter ${code} of request ${requestId}`);
  for (const code of garbage)
    if (!deadLetters.some((letter) => letter.code === code)) complaints.push(`no dead letter ${code}`);
  return complaints;
}

/** I1. */
function judgeOutbox({ outbox }: Evidence): string[] {
  return outbox
    .filter(({ state, waits }) => state !== 'delivered' || waits)
    .map(({ id, state, target }) => `message ${id} for target ${target} is ${state}, not delivered`);
}

/** I1 where not everything is delivered in the end. */
function judgeEndings({ outbox }: NotificationEvidence, endings: Readonly<Record<string, number>>): string[] {
  const complaints: string[] = [];
  const byState = Map.groupBy(outbox, ({ state }) => state);
  for (const state of new Set([...byState.keys(), ...Object.keys(endings)])) {
    const messages = byState.get(state) ?? [];
    const count = state === 'delivered' ? messages.length : (endings[state] ?? 0);
    if (messages.length !== count) complaints.push(`${messages.length} messages are ${state}, not ${count}`);
    const waiting = messages.filter(({ waits }) => waits).length;
    if (finishedStates.has(state) && waiting > 0)
      complaints.push(`${waiting} messages are ${state} and wait all the same`);
  }
  return complaints;
}

const finishedStates = new Set(['delivered', 'dead', 'withdrawn']);

/** I2 to I4 and I6, and that everything that is due was told. */
function judgeWire(evidence: Pick<Evidence, 'wire' | 'outbox'>, dueIssuesNow: readonly string[]): string[] {
  const { wire, outbox } = evidence;
  const complaints: string[] = [];
  const arrived = Map.groupBy(wire, ({ id }) => id);
  const decided = new Map(outbox.map((message) => [message.id, message]));
  for (const [id, messages] of arrived) {
    const message = decided.get(id);
    if (message === undefined) complaints.push(`message ${id} arrived and was never decided`);
    else if (sorted(message.issues) !== sorted(messages[0]!.issues))
      complaints.push(`message ${id} tells of ${messages[0]!.issues}, not of ${message.issues}`);
    if (new Set(messages.map(({ body }) => body)).size > 1) complaints.push(`repeats of message ${id} differ`);
    if (messages.length > 1 && messages[0]!.target === TARGET_SERVICE_LOG)
      complaints.push(`entry ${id} was posted ${messages.length} times`);
  }
  for (const { id, state } of outbox)
    if (state === 'delivered' && !arrived.has(id))
      complaints.push(`message ${id} counts as delivered and never arrived`);

  const told = Map.groupBy(
    wire.flatMap(({ target, cluster, issues, id }) =>
      issues.map((issue) => ({ id, issue: issueOf(target, cluster, issue) })),
    ),
    ({ issue }) => issue,
  );
  for (const [issue, messages] of told) {
    const ids = new Set(messages.map(({ id }) => id));
    if (ids.size > 1) complaints.push(`${issue} was told under ${ids.size} ids: ${[...ids].join(', ')}`);
  }
  const due = new Set(dueIssuesNow);
  for (const issue of due) if (!told.has(issue)) complaints.push(`${issue} is due and was not told`);
  for (const issue of told.keys()) if (!due.has(issue)) complaints.push(`${issue} was told and is not due`);
  return complaints;
}

/** I4: what counts as notified was delivered, under that id, and has its `sent` row. */
function judgeLedger({ ledger, outbox, reported }: Pick<Evidence, 'ledger' | 'outbox' | 'reported'>): string[] {
  const complaints: string[] = [];
  const delivered = new Set(outbox.filter(({ state }) => state === 'delivered').map(({ id }) => id));
  const rows = new Set(reported.filter(({ state }) => state === STATE_SENT).map(rowOf));
  for (const { target, cluster, issue, state, id, reportedAt } of ledger.filter((row) => row.state === 'notified')) {
    const what = issueOf(target, cluster, issue);
    if (id === null || !delivered.has(id))
      complaints.push(`${what} counts as ${state} by ${id}, which was not delivered`);
    else if (!rows.has(rowOf({ target, cluster, notifiedAt: reportedAt ?? '' })))
      complaints.push(`${what} counts as ${state} and has no sent row in reported`);
  }
  for (const { id, target, cluster, state, reportedAt } of outbox)
    if (state === 'delivered' && !rows.has(rowOf({ target, cluster, notifiedAt: reportedAt ?? '' })))
      complaints.push(`message ${id} has no sent row in reported`);
  return complaints;
}

/** The ledger and `reported` say what happened: one `sent` row per target and cluster that was told something. */
function judgeRecords(evidence: Evidence): string[] {
  const { ledger, reported } = evidence;
  const complaints = judgeLedger(evidence);
  for (const { target, cluster, issue, state } of ledger)
    if (state !== 'notified') complaints.push(`${issueOf(target, cluster, issue)} is ${state} in the ledger`);
  const sent = Map.groupBy(
    reported.filter(({ state }) => state === STATE_SENT),
    ({ target, cluster }) => `target ${target}, cluster ${cluster}`,
  );
  for (const [where, of] of sent) if (of.length > 1) complaints.push(`${of.length} sent rows in reported for ${where}`);
  for (const row of reported) if (row.state === STATE_ERROR) complaints.push(`an error row in reported: ${rowOf(row)}`);
  return complaints;
}

/** Every issue has appeared once, whatever was looked at again, and was notified once by each message that was delivered. */
function judgeHistory({ happened, outbox }: Evidence, { uploads }: Expectation): string[] {
  const findings = uploads.flatMap(({ cluster, findings: keys }) => keys.map((key) => `${cluster} ${key} appeared`));
  const notified = outbox
    .filter(({ state }) => state === 'delivered')
    .flatMap(({ id, target, cluster, issues }) => issues.map((key) => `${cluster} ${key} notified ${target} ${id}`));
  const expected = new Set([...findings, ...notified]);
  const counted = Map.groupBy(happened, (text) => text);
  return [...new Set([...expected, ...happened])].flatMap((text) => {
    const times = counted.get(text)?.length ?? 0;
    if (times === (expected.has(text) ? 1 : 0)) return [];
    return [`${times} times in the history of issues: ${text}`];
  });
}

/** I1 to I5, as the service itself looks for breaches of them. */
function judgeAudit({ audited }: Pick<Evidence, 'audited'>): string[] {
  return audited.map((text) => `the auditor found ${text}`);
}

function dueIssues(uploads: readonly Uploaded[]): string[] {
  return uploads.flatMap(({ cluster, findings }) =>
    findings.flatMap((finding) => targets.map((target) => issueOf(target, cluster, finding))),
  );
}

function issueOf(target: number, cluster: string, issue: string): string {
  return `${issue} of cluster ${cluster} for target ${target}`;
}

function rowOf({ target, cluster, notifiedAt }: Omit<Evidence['reported'][number], 'state'>): string {
  return `${target} ${cluster} ${notifiedAt}`;
}

function sorted(issues: readonly string[]): string {
  return [...issues].sort().join(', ');
}
