/**
 * The way of a batch of messages: the steps in order, and what becomes of each message. Steps that only look at a message run one message
 * after the other, while the batch before is stored; storing and dead-lettering take the batch as a whole and are tried until they succeed.
 * Called by the intake.
 */
import { setImmediate as turn } from 'node:timers/promises';
import {
  inQuotes,
  parseOcpResults,
  type ReceivedReport,
  type RefusedReport,
  type RepeatedValues,
} from '../../contracts/parse-ocp-results.ts';
import { STATUS_SERVICE_WRITER } from '../../contracts/payload-status.ts';
import { shrinkReportText } from '../../contracts/shrunk-report.ts';
import type { TraceEvent } from '../../contracts/trace-event.ts';
import { CcxError, errorText } from '../../encoding/ccx-error.ts';
import { formatRfc3339, parseRfc3339 } from '../../encoding/rfc3339.ts';
import type { BusRecord } from '../../platform/bus/bus.ts';
import type { BatchControl, FinishBatch } from '../../platform/bus/intake/batch-intake.ts';
import { type DeadLetterTarget, deadLetterRecords } from '../../platform/bus/intake/dead-letter-records.ts';
import { deadLetter, done, type ImmediateAnswer, unexpected } from '../../platform/bus/intake/step.ts';
import type { Clock } from '../../platform/clock/clock.ts';
import type { Database } from '../../platform/database/database.ts';
import { recordTraceEvents } from '../../platform/records/trace-log.ts';
import type { NotificationWriterSettings } from './config.ts';
import type { CheckedReport, ParsedReport, ReportRow, ReportSubject } from './report.ts';
import { prepareRow } from './steps/prepare-row.ts';
import { type FactsMemory, readFacts } from './steps/read-facts.ts';
import { type ServerCompression, type StoreResult, storeReports } from './steps/store-reports.ts';
import type { InsertedReport } from './store.ts';
import type { TakenMessage, WriterEvents } from './telemetry.ts';

const microsPerMs = 1000n;

interface PipelineDependencies {
  readonly clock: Clock;
  readonly events: WriterEvents;
  readonly repeatedValues: RepeatedValues;
  readonly factsMemory: FactsMemory;
  readonly database: Database;
  readonly compression: ServerCompression;
  /** Takes dead letters. */
  readonly sender: DeadLetterTarget['sender'];
  readonly settings: NotificationWriterSettings;
}

/** A message that is fit to be stored. */
interface AcceptedMessage {
  readonly message: TakenMessage;
  readonly row: ReportRow;
}

interface RefusedMessage {
  readonly message: TakenMessage;
  readonly step: string;
  readonly error: CcxError;
}

/** Messages that are judged before the event loop turns: the batch that is being stored must not wait for these. */
const judgedAtOnce = 25;

/**
 * Judges the messages, and answers with what does the rest: that resolves when every one of them is stored, recognised or dead-lettered, and
 * rejects with the abort reason when the batch was given up.
 */
export async function beginBatch(
  records: readonly BusRecord[],
  dependencies: PipelineDependencies,
  control: BatchControl,
): Promise<FinishBatch> {
  const batch = new BatchRun(dependencies, control);
  for (let at = 0; at < records.length; at += judgedAtOnce) {
    if (at > 0) await turn();
    batch.judge(records.slice(at, at + judgedAtOnce));
  }
  return async () => {
    await batch.store();
    await batch.deadLetter();
    batch.finish(records.length);
  };
}

class BatchRun {
  readonly #dependencies: PipelineDependencies;
  readonly #control: BatchControl;
  readonly #startedMs: number;
  #accepted: AcceptedMessage[] = [];
  readonly #refused: RefusedMessage[] = [];
  #stored = 0;
  #repeated = 0;

  constructor(dependencies: PipelineDependencies, control: BatchControl) {
    this.#dependencies = dependencies;
    this.#control = control;
    this.#startedMs = dependencies.clock.monotonicMs();
  }

  judge(records: readonly BusRecord[]): void {
    const received: ReportSubject[] = [];
    for (const record of records) {
      const message = this.#judge(record);
      if (message !== undefined) received.push(message.subject);
    }
    this.#dependencies.events.reportsReceived(received);
  }

  /**
   * Parse, shrink, check, read facts, prepare: no step waits for anything. A bug in one of them costs the message its place, not the others
   * theirs. Answers with what could be read.
   */
  #judge(record: BusRecord): TakenMessage | undefined {
    const { clock, events, repeatedValues } = this.#dependencies;
    const takenMs = clock.monotonicMs();
    events.recordTaken(record);
    const parsed = parseOcpResults(record.value, repeatedValues);
    if (parsed.kind === 'refused') {
      const { refused } = parsed;
      return this.#refuse({ record, subject: subjectOf(refused), takenMs }, 'parse-report', refused.error);
    }
    const message: TakenMessage = { record, subject: subjectOf(parsed.report), takenMs };
    try {
      this.#judgeReceived(message, parsed.report);
    } catch (cause) {
      events.unexpectedFailure('judge', cause);
      this.#refuse(message, 'check-report', unexpected(cause));
    }
    return message;
  }

  #judgeReceived(message: TakenMessage, received: ReceivedReport): undefined {
    const { clock, events, factsMemory, settings } = this.#dependencies;
    events.reportReceived(message, received.version);

    const shrunk = shrinkReport(received);
    events.reportShrunk(message, shrunk);

    const checked = checkReport(shrunk, settings.futureToleranceMs, clock.nowMicros());
    if (checked.kind !== 'done') return this.#refuse(message, 'check-report', checked.error);
    events.timeChecked();

    const facts = readFacts(message.record, received, factsMemory);
    events.factsIgnored(message, facts.ignored);
    const prepared = prepareRow(message.record, checked.value, facts);
    if (prepared.kind !== 'done') return this.#refuse(message, 'prepare-row', prepared.error);
    events.reportParsed(message);
    this.#accepted.push({ message, row: prepared.value });
  }

  async store(): Promise<void> {
    const { clock, events, database, compression, settings } = this.#dependencies;
    const { traced } = settings;
    let attempts = 1;
    let startedMs = clock.monotonicMs();
    const results = await this.#control.untilDone('store-reports', 'database', (attempt) => {
      this.#accepted = this.#accepted.filter(({ message }) => this.#control.owns(message.record));
      const traceOf = (index: number, result: InsertedReport) =>
        this.#traceOf(this.#accepted[index]!, settled(result, attempt.number));
      attempts = attempt.number;
      startedMs = clock.monotonicMs();
      return storeReports(
        this.#accepted.map(({ row }) => row),
        { database, clock, compression, traced, traceOf },
        attempt,
      );
    });
    if (results.length > 0) events.batchStored(clock.monotonicMs() - startedMs);
    const known: ReportSubject[] = [];
    results.forEach((answer, index) => {
      const { message, row } = this.#accepted[index]!;
      const result = settled(answer, attempts);
      switch (result.kind) {
        case 'stored':
          this.#stored += 1;
          known.push(message.subject);
          events.reportStored(message, row.text.length, result.updatedAt);
          break;
        case 'repeated':
          this.#repeated += 1;
          known.push(message.subject);
          events.reportRepeated(message, result.by);
          break;
        case 'refused':
          this.#refuse(message, 'store-reports', result.error);
      }
    });
    events.outcomesKnown(known, 'success');
  }

  async deadLetter(): Promise<void> {
    const { clock, events, sender, database, settings } = this.#dependencies;
    const refused = this.#refused.filter(({ message }) => this.#control.owns(message.record));
    if (refused.length === 0) return;
    const time = () => formatRfc3339(clock.nowMicros());
    const target = { sender, topic: settings.deadLettersTopic, serviceName: settings.serviceName, time };
    const deadLetters = refused.map(({ message, step, error }) => ({
      record: message.record,
      requestId: message.subject.requestId,
      step,
      error,
    }));
    await this.#control.untilDone('dead-letter-records', 'bus', ({ retryMs }) =>
      deadLetterRecords(deadLetters, target, retryMs),
    );
    for (const { message, step, error } of refused) events.messageDeadLettered(message, step, error);
    events.outcomesKnown(
      refused.map(({ message }) => message.subject),
      'error',
    );
    if (!settings.traced) return;
    // Not part of a guarantee, so that it is tried once: the dead letter itself says as much.
    await recordTraceEvents(
      database,
      refused.map(({ message, error }) => ({
        ...traceContext(message.subject),
        status: 'message-dead-lettered',
        detail: `${error.code}: ${errorText(error)}`,
        at: time(),
      })),
    ).catch((error: unknown) => events.traceFailed(error));
  }

  finish(records: number): void {
    const { clock, events } = this.#dependencies;
    const ms = clock.monotonicMs() - this.#startedMs;
    events.batchFinished({
      records,
      stored: this.#stored,
      repeated: this.#repeated,
      refused: this.#refused.length,
      ms,
    });
  }

  /** Hops 7 and 8 of what was stored are read from its facts. */
  #traceOf({ message }: AcceptedMessage, result: InsertedReport): readonly TraceEvent[] {
    const { settings, clock } = this.#dependencies;
    if (!settings.traced || result.kind !== 'repeated') return [];
    const at = formatRfc3339(clock.nowMicros());
    const detail = `recognised by its ${result.by}`;
    return [{ ...traceContext(message.subject), status: 'report-repeated', detail, at }];
  }

  #refuse(message: TakenMessage, step: string, error: CcxError): undefined {
    this.#refused.push({ message, step, error });
  }
}

/** What a second attempt finds at a message's own position is what the first one stored before its answer was lost. */
function settled<Result extends StoreResult>(result: Result, attempts: number): Result | InsertedReport {
  if (attempts === 1 || result.kind !== 'repeated' || result.by !== 'position') return result;
  return { kind: 'stored', updatedAt: result.updatedAt };
}

function traceContext({ requestId, orgId, cluster }: ReportSubject) {
  return {
    requestId,
    service: STATUS_SERVICE_WRITER,
    orgId: orgId === undefined ? undefined : String(orgId),
    cluster,
  };
}

/** Leaves out of a report what notifications do not need. Before the checks, as in the reference, whose counters tell the order. */
export function shrinkReport(received: ReceivedReport): ParsedReport {
  return { received, ...shrinkReportText(received.report) };
}

/** Known even of most messages that are refused. */
function subjectOf({ requestId, orgId, clusterName }: ReceivedReport | RefusedReport): ReportSubject {
  return { requestId, orgId, cluster: clusterName };
}

/**
 * Whether a report's `LastChecked` is a time, and not one of the future; `nowMicros` becomes the row's time. Codes: `REPORT_LAST_CHECKED`,
 * `REPORT_FROM_THE_FUTURE`. Source: notification-writer.md 4.3, 3.4.
 */
export function checkReport(
  report: ParsedReport,
  futureToleranceMs: number,
  nowMicros: bigint,
): ImmediateAnswer<CheckedReport> {
  const { lastChecked: text } = report.received;
  const lastChecked = parseRfc3339(text ?? '');
  if (lastChecked === undefined) {
    if (text === undefined) return refuse('REPORT_LAST_CHECKED', 'LastChecked is missing');
    if (text === null) return refuse('REPORT_LAST_CHECKED', 'LastChecked is null');
    return refuse('REPORT_LAST_CHECKED', `LastChecked is not RFC 3339: ${inQuotes(text)}`);
  }
  if (lastChecked.micros > nowMicros + BigInt(futureToleranceMs) * microsPerMs) {
    return refuse(
      'REPORT_FROM_THE_FUTURE',
      `got a message from the future: ${lastChecked.canonical}`,
      'check the clocks of sender and writer, or raise check.future_tolerance',
    );
  }
  return done({ ...report, lastChecked, processedAt: nowMicros });
}

function refuse(code: string, message: string, hint?: string) {
  return deadLetter(new CcxError(message, { code, category: 'input', hint }));
}
