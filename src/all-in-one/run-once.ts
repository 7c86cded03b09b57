/** `ccx all-in-one --once`: uploads the files, waits until nothing is in flight, says what happened, and answers with the exit code. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Clock } from '../platform/clock/clock.ts';
import { BUSINESS_EVENT_CHANNEL, type BusinessEvent } from '../platform/telemetry/telemetry.ts';
import type { RunSummary } from './run-summary.ts';
import type { AllInOne } from './start-all-in-one.ts';
import { type FileUpload, uploadFile } from './upload-files.ts';

interface OnceContext {
  readonly clock: Clock;
  readonly files: readonly string[];
  readonly summary: RunSummary;
  readonly signalled: Promise<unknown>;
  readonly print: (line: string) => void;
  /** A JSON summary on standard output; else one for people. */
  readonly json: boolean;
  readonly idleMsMax: number;
}

/** 0 when every upload was accepted, became a stored report and left nothing undelivered; else 1. */
export async function runOnce(installation: AllInOne, context: OnceContext): Promise<number> {
  const { clock, files, summary, signalled, print, json, idleMsMax } = context;
  /** Request ids whose report is stored, or was stored before. */
  const stored = new Set<string>();
  /** Request id → code of the dead letter it ended as. */
  const dead = new Map<string, string>();
  const listen = (message: unknown) => {
    const { event, fields } = message as BusinessEvent;
    const requestId = String(fields['requestId'] ?? '');
    if (event === 'report-stored' || event === 'report-repeated') stored.add(requestId);
    if (event === 'message-dead-lettered' || event === 'notification-dead') dead.set(requestId, String(fields['code']));
  };
  const complaintOf = (file: string, { accepted, reason, requestId }: FileUpload): string | undefined => {
    if (!accepted) return `${file} was refused: ${reason}`;
    const code = dead.get(requestId);
    if (code !== undefined) return `${file} was dead-lettered: ${code} (request ${requestId}; ccx dead-letters list)`;
    return stored.has(requestId) ? undefined : `${file} did not become a report (request ${requestId})`;
  };
  subscribe(BUSINESS_EVENT_CHANNEL, listen);
  const started = clock.monotonicMs();
  try {
    const uploads: FileUpload[] = [];
    for (const file of files) uploads.push(await uploadFile(file, installation, clock.now()));
    if (uploads.some((upload) => upload.accepted)) installation.folder.markUsed();
    const idle = await Promise.race([installation.waitUntilIdle(idleMsMax), signalled.then(() => false)]);
    const complaints = uploads.flatMap((upload, index) => complaintOf(files[index]!, upload) ?? []);
    if (!idle) complaints.push('not everything had reached its end when the time was up; start again to go on');
    const refused = uploads.filter((upload) => !upload.accepted).length;
    const counts = { uploads: uploads.length, refused, ...summary.counts() };
    const elapsedMs = Math.round(clock.monotonicMs() - started);
    if (json) process.stdout.write(`${JSON.stringify(counts)}\n`);
    else print(describeRun(counts, elapsedMs));
    for (const complaint of complaints) process.stderr.write(`ccx: ${complaint}\n`);
    return complaints.length === 0 && dead.size === 0 ? 0 : 1;
  } finally {
    unsubscribe(BUSINESS_EVENT_CHANNEL, listen);
  }
}

type Counts = ReturnType<RunSummary['counts']> & { readonly uploads: number; readonly refused: number };

function describeRun(counts: Counts, elapsedMs: number): string {
  const list = (values: Readonly<Record<string, number>>) =>
    Object.entries(values)
      .map(([name, count]) => `${name} ${count}`)
      .join(', ') || 'none';
  const rows: [string, string][] = [
    ['uploads', `${counts.uploads} (${counts.refused} refused)`],
    ['announced', String(counts.announced)],
    ['reports', `${counts.reports} published, ${counts.stored} stored`],
    ['decisions', list(counts.decisions)],
    ['notifications', list(counts.notifications)],
    ['dead letters', String(counts.deadLetters)],
    ['time by hop (ms)', list(counts.elapsedMs)],
    ['time in all (ms)', String(elapsedMs)],
  ];
  return `\n${rows.map(([name, text]) => `  ${name.padEnd(17)} ${text}`).join('\n')}\n`;
}
