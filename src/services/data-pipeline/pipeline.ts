/**
 * The way of one announcement: its steps in order, and what becomes of it. A step answers with an outcome; here `retry` becomes a pause
 * and another attempt, `drop` a counter, `dead-letter` a record in the dead-letter topic. Called by the intake for every record.
 */

import type { CcxError } from '../../encoding/ccx-error.ts';
import type { BusRecord } from '../../platform/bus/bus.ts';
import { type DeadLetterTarget, deadLetterRecords } from '../../platform/bus/intake/dead-letter-records.ts';
import {
  deadLetter,
  type StepAnswer,
  type StepAttempt,
  unexpected,
  untilAnswered,
} from '../../platform/bus/intake/step.ts';
import type { WorkControl } from '../../platform/bus/intake/stream-intake.ts';
import type { Clock } from '../../platform/clock/clock.ts';
import type { ClusterQueues } from './cluster-queues.ts';
import type { RecordPolicy } from './decide/judge-record.ts';
import type { HostAnswer, HostBreaker } from './host-breaker.ts';
import type { Place, Places } from './places.ts';
import type { RuleRunResult } from './runner/rule-run.ts';
import { type FetchDependencies, fetchArchive } from './steps/fetch-archive.ts';
import { checkAnnouncement, identifyUpload } from './steps/identify-upload.ts';
import { type PublishDependencies, publishReport } from './steps/publish-report.ts';
import { type RunRulesDependencies, runRules } from './steps/run-rules.ts';
import type { PipelineEvents } from './telemetry.ts';
import type { Upload, UploadProgress } from './upload.ts';
import type { WaitingRoom } from './waiting-room.ts';

/** Pause before a step is tried again; doubles with each attempt, with jitter. */
const retryBounds = { msMin: 500, msMax: 30_000 };

interface PipelineDependencies {
  readonly clock: Clock;
  readonly events: PipelineEvents;
  readonly places: Places;
  readonly hosts: HostBreaker;
  readonly queues: ClusterQueues;
  readonly room: WaitingRoom;
  readonly check: RecordPolicy;
  readonly fetch: FetchDependencies;
  readonly rules: Omit<RunRulesDependencies, 'onKilled'>;
  readonly publish: PublishDependencies;
  readonly deadLetters: Omit<DeadLetterTarget, 'time'>;
}

type Done<T> = Extract<StepAnswer<T>, { kind: 'done' }>;
/** The answer that an announcement went no further with, and whose it was. */
type Ended = Extract<StepAnswer<never>, { kind: 'drop' | 'dead-letter' }> & { readonly step: string };

/** Resolves to true when the record's offset may be committed, to false when the work was given up. Never rejects. */
export async function processRecord(
  record: BusRecord,
  dependencies: PipelineDependencies,
  control: WorkControl,
): Promise<boolean> {
  const run = new PipelineRun(record, dependencies, control);
  try {
    const ended = await run.steps();
    if (ended?.kind === 'drop') dependencies.events.announcementDropped(record, ended.reason);
    if (ended?.kind === 'dead-letter') await run.deadLetter(ended.step, ended.error);
    return true;
  } catch (error) {
    if (!run.givenUp) dependencies.events.unexpectedFailure(run.progress, 'pipeline', error);
    return false;
  }
}

class PipelineRun {
  readonly progress: UploadProgress;
  readonly #dependencies: PipelineDependencies;
  readonly #control: WorkControl;
  /** While it is in one. */
  #place: Place | undefined;

  constructor(record: BusRecord, dependencies: PipelineDependencies, control: WorkControl) {
    this.#dependencies = dependencies;
    this.#control = control;
    this.progress = {
      record,
      receivedMs: dependencies.clock.monotonicMs(),
      archiveKind: 'ocp',
    };
  }

  get givenUp(): boolean {
    return this.#control.abandoned.aborted || this.#control.stopping.aborted;
  }

  /** Undefined once the report is published. */
  async steps(): Promise<Ended | undefined> {
    const { progress } = this;
    const { clock, events, ...dependencies } = this.#dependencies;

    events.recordTaken(progress.record);
    const checked = await this.#step('check-announcement', () =>
      checkAnnouncement(progress.record, dependencies.check, clock.now()),
    );
    if (checked.kind !== 'done') return checked;
    const announcement = checked.value;
    const { identity } = announcement.identity;
    progress.subject = {
      requestId: announcement.request_id ?? null,
      orgId: identity.internal.org_id,
      account: identity.account_number,
    };
    events.announcementAccepted(progress);

    const identified = await this.#step('identify-upload', () => identifyUpload(announcement, clock.now()));
    if (identified.kind !== 'done') return identified;
    const upload = identified.value;

    // Reports of one cluster are published in the order of its announcements, whatever is fetched or tried again meanwhile.
    return this.#dependencies.queues.run(upload, () => this.#deliver(upload));
  }

  async #deliver(upload: Upload): Promise<Ended | undefined> {
    const { events, publish } = this.#dependencies;
    try {
      const evaluated = await this.#evaluate(upload);
      if (evaluated.kind !== 'done') return evaluated;
      const result = evaluated.value;
      const published = await this.#step('publish-report', (attempt) =>
        publishReport(upload, result, publish, attempt),
      );
      if (published.kind !== 'done') return published;
      events.reportPublished(this.progress, published.value, result.hits);
      return undefined;
    } finally {
      this.#leavePlace();
    }
  }

  /** A function of its own, so that the archive's bytes are free, or its file closed, while the report waits for the bus. */
  async #evaluate(upload: Upload): Promise<Done<RuleRunResult> | Ended> {
    const { progress } = this;
    const { clock, events, ...dependencies } = this.#dependencies;
    const fetched = await this.#fetch(upload);
    if (fetched.kind !== 'done') return fetched;
    const { packed, bytes, release } = fetched.value;
    progress.downloadedMs = clock.monotonicMs();
    events.archiveDownloaded(progress, bytes);

    const onKilled = (component: string, { code, message }: CcxError) =>
      events.ruleFailed(progress, component, code, message);
    const evaluated = await this.#step('run-rules', (attempt) =>
      runRules(upload, packed, { ...dependencies.rules, onKilled }, attempt),
    ).finally(release);
    if (evaluated.kind !== 'done') return evaluated;
    const result = evaluated.value;
    progress.archiveKind = result.archiveKind;
    progress.evaluatedMs = clock.monotonicMs();
    events.rulesEvaluated(progress, result, bytes);
    for (const { component, error } of result.failures) events.ruleFailed(progress, component, 'RULE_THREW', error);
    for (const { component, error } of result.overLimit)
      events.ruleFailed(progress, component, 'RULE_OVER_LIMIT', error);
    return evaluated;
  }

  /** Each attempt takes a place when its turn comes, and only one that brought the archive keeps it: what has to wait waits outside. */
  async #fetch(upload: Upload) {
    const { progress } = this;
    const { clock, events, hosts, room, fetch } = this.#dependencies;
    const host = hostOf(upload.url);
    // A stop need not wait for a download: nothing is lost by fetching again.
    const signal = AbortSignal.any([this.#control.abandoned, this.#control.stopping]);
    return this.#step('fetch-archive', async (attempt) => {
      const isProbe = await this.#enter(upload.orgId, host, attempt.number > 1, signal);
      let answer: HostAnswer = 'unknown';
      try {
        progress.fetchStartedMs ??= clock.monotonicMs();
        events.downloadStarted(progress, host);
        const elapsedMs = clock.monotonicMs() - progress.fetchStartedMs;
        const outcome = await fetchArchive(upload, fetch, { ...attempt, elapsedMs, signal });
        answer = hostAnswer(outcome);
        if (outcome.kind === 'done') room.fetched();
        else this.#leavePlace();
        return outcome;
      } finally {
        hosts.ended(host, progress, isProbe, answer);
      }
    });
  }

  /** Waits for a host that is not left alone, and then for a place. True for an attempt that is to find out whether the host is back. */
  async #enter(orgId: number, host: string, isFurtherAttempt: boolean, signal: AbortSignal): Promise<boolean> {
    const { hosts, places, room } = this.#dependencies;
    for (;;) {
      const isProbe = await room.during(hosts.admit(host, signal));
      try {
        this.#place = await places.acquire(orgId, isFurtherAttempt, signal);
      } catch (error) {
        hosts.ended(host, this.progress, isProbe, 'unknown');
        throw error;
      }
      if (isProbe || !hosts.isOpen(host)) return isProbe;
      // It went away while this waited for the place; an attempt now would only start the time that it is tried for.
      this.#leavePlace();
    }
  }

  #leavePlace(): void {
    this.#place?.release();
    this.#place = undefined;
  }

  /** Tried until the bus has it, since only then the offset may be committed. Source: data-pipeline.md 2.5. */
  async deadLetter(step: string, error: CcxError): Promise<void> {
    const { clock, events, deadLetters } = this.#dependencies;
    const requestId = this.progress.subject?.requestId ?? '';
    const time = clock.now().toISOString();
    const refused = [{ record: this.progress.record, step, error, requestId }];
    const target = { ...deadLetters, time: () => time };
    await this.#step('dead-letter-record', ({ retryMs }) => deadLetterRecords(refused, target, retryMs));
    events.messageDeadLettered(this.progress, step, error);
  }

  /** Rejects only when the work is given up, or the bus client has a bug. */
  async #step<T>(
    name: string,
    work: (attempt: StepAttempt) => StepAnswer<T> | Promise<StepAnswer<T>>,
  ): Promise<Done<T> | Ended> {
    const { clock, events, room } = this.#dependencies;
    const { abandoned, stopping } = this.#control;
    const attempted = async (attempt: StepAttempt): Promise<StepAnswer<T>> => {
      abandoned.throwIfAborted();
      try {
        return await work(attempt);
      } catch (error) {
        if (this.givenUp || name === 'dead-letter-record') throw error;
        events.unexpectedFailure(this.progress, name, error);
        return deadLetter(unexpected(error));
      }
    };
    const wait = async (afterMs: number, error: CcxError) => {
      events.stepRetried(this.progress, name, error, afterMs);
      const pause = clock.sleep(afterMs, AbortSignal.any([abandoned, stopping]));
      await (this.#place === undefined ? room.during(pause) : this.#place.during(pause));
    };
    const answer = await untilAnswered(attempted, { clock, bounds: retryBounds, signal: abandoned, wait });
    return answer.kind === 'done' ? answer : { ...answer, step: name };
  }
}

/** What the end of a download says of its host; one that answers that it has no such archive is there. */
function hostAnswer(outcome: StepAnswer<unknown>): HostAnswer {
  if (outcome.kind === 'done') return 'answered';
  if (outcome.kind === 'drop') return 'unknown';
  const { code, retryable } = outcome.error;
  if (code === 'DOWNLOAD_LINK_REFUSED' || code === 'DOWNLOAD_NO_ROOM') return 'unknown';
  return retryable ? 'failed' : 'answered';
}

/** For a log: the rest of a link carries a signature. */
function hostOf(url: string): string {
  return URL.parse(url)?.host ?? '(not a URL)';
}
