/** `ccx all-in-one --once`: uploads the files, waits until nothing is in flight, says what happened, and answers with the exit code. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Clock } from '../platform/clock/clock.ts';
import { BUSINESS_EVENT_CHANNEL, type BusinessEvent } from '../platform/telemetry/telemetry.ts';
import type { RunSummary } from './run-summary.ts';
import type { AllInOne } from './start-all-in-one.ts';
import { type FileUpload, uploadContext, uploadFile } from './upload-files.ts';

interface OnceContext {
  readonly clock: Clock;
  readonly files: readonly string[];
  readonly summary: RunSummary;
  readonly signalled: Promise<unknown>;
  readonly print: (line: string) => void;
  /** Where the JSON summary goes; absent: a summary for people. */
  readonly json: ((line: string) => void) | undefined;
  readonly idleMsMax: number;
}

/** 0 when every upload was accepted, became a stored report and left nothing undelivered; else 1. */
export async function runOnce(installation: AllInOne, context: OnceContext): Promise<number> {
  const ends = watchEnds();
  const started = context.clock.monotonicMs();
  try {
    const uploads: FileUpload[] = [];
    for (const file of context.files) uploads.push(await uploadFile(file, uploadContext(installation, context.clock)));
    if (uploads.some((upload) => upload.accepted)) installation.folder.markUsed();
    const idle = await Promise.race([
      installation.waitUntilIdle(context.idleMsMax),
      context.signalled.then(() => false),
    ]);
    const complaints = [
      ...uploads.flatMap((upload) => complaintOf(upload, ends)),
      ...(idle ? [] : ['not everything had reached its end when the time was up; start again to go on']),
    ];
    const counts = context.summary.counts();
    const refused = uploads.filter((upload) => !upload.accepted).length;
    const elapsedMs = Math.round(context.clock.monotonicMs() - started);
    if (context.json !== undefined) {
      context.json(JSON.stringify({ uploads: uploads.length, refused, ...counts }));
    } else {
      context.print(describeRun({ uploads: uploads.length, refused, ...counts }, elapsedMs));
    }
    for (const complaint of complaints) process.stderr.write(`ccx: ${complaint}\n`);
    return complaints.length === 0 && ends.dead.size === 0 ? 0 : 1;
  } finally {
    ends.close();
  }
}

interface Ends {
  /** Request ids whose report is stored, or was stored before. */
  readonly stored: ReadonlySet<string>;
  /** Request id → code of the dead letter it ended as. */
  readonly dead: ReadonlyMap<string, string>;
  close(): void;
}

function watchEnds(): Ends {
  const stored = new Set<string>();
  const dead = new Map<string, string>();
  const listen = (message: unknown) => {
    const { event, fields } = message as BusinessEvent;
    const requestId = String(fields['requestId'] ?? '');
    if (event === 'report-stored' || event === 'report-repeated') stored.add(requestId);
    if (event === 'message-dead-lettered' || event === 'notification-dead') dead.set(requestId, String(fields['code']));
  };
  subscribe(BUSINESS_EVENT_CHANNEL, listen);
  return { stored, dead, close: () => void unsubscribe(BUSINESS_EVENT_CHANNEL, listen) };
}

function complaintOf(upload: FileUpload, ends: Ends): string[] {
  if (!upload.accepted) return [`${upload.file} was refused: ${upload.reason}`];
  const code = ends.dead.get(upload.requestId);
  if (code !== undefined)
    return [`${upload.file} was dead-lettered: ${code} (request ${upload.requestId}; ccx dead-letters list)`];
  return ends.stored.has(upload.requestId)
    ? []
    : [`${upload.file} did not become a report (request ${upload.requestId})`];
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
