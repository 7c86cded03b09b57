/**
 * A dry run for a person, or for a script: what would go out to each target, byte for byte, and why or why not, on standard output; how far
 * it got on standard error. Loaded by `ccx notifier --dry-run` and the drop-in program's `-dry-run`, and only there.
 */

import { once } from 'node:events';
import { CcxError } from '../../encoding/ccx-error.ts';
import { Lifecycle } from '../../platform/lifecycle/lifecycle.ts';
import { waitForSignal } from '../../platform/lifecycle/run-role.ts';
import type { NotificationServiceSettings, Receiver } from './config.ts';
import { reasonSentence } from './decide/reasons.ts';
import { acknowledgedText } from './format-explanation.ts';
import { openNotificationDependencies } from './open-dependencies.ts';
import { type Previewed, type PreviewSummary, previewNotifications } from './preview.ts';
import { type AlertsPreview, previewAlerts } from './preview-alerts.ts';

/** So often it is said how many clusters were looked at. */
const progressClusters = 10_000;

interface PrintOptions {
  readonly settings: NotificationServiceSettings;
  /** Undefined: all. */
  readonly clusters: readonly string[] | undefined;
  readonly json: boolean;
  /** Chooses those that it is about alone; absent: all targets and receivers. Throws where there is none such. */
  readonly only?: (receivers: readonly Receiver[]) => readonly Receiver[];
}

/** Ends early, in order, at a signal, or when nobody reads any more. Rejects with the codes of `previewNotifications`, and with `CLUSTER_UNKNOWN`. */
export async function printPreview(
  opening: Omit<Parameters<typeof openNotificationDependencies>[0], 'lifecycle' | 'composesOnly'>,
  { settings, clusters, json, only }: PrintOptions,
): Promise<void> {
  const lifecycle = new Lifecycle(opening.clock);
  const stopping = new AbortController();
  void waitForSignal().then(() => stopping.abort());
  let looked = 0;
  const missing = new Set(clusters?.map((cluster) => cluster.toLowerCase()));
  try {
    const all = await openNotificationDependencies({ ...opening, lifecycle, composesOnly: true });
    const chosen = only?.(all.receivers);
    const dependencies = chosen === undefined ? all : { ...all, targets: [], receivers: chosen };
    for (const { target } of json ? [] : (chosen ?? [])) await print(`to ${target.address} (${target.type})\n`);
    const [levels] = chosen ?? [];
    if (levels?.target.alerts !== undefined) {
      const { signal } = stopping;
      const shown = await previewAlerts(settings, { ...opening, ...dependencies, signal }, print);
      await print(json ? JSON.stringify({ kind: 'summary', ...shown }) : formatAlerts(shown));
      return;
    }
    const summary = await previewNotifications(
      settings,
      { ...opening, ...dependencies },
      { clusters: clusters === undefined ? undefined : [...missing], signal: stopping.signal },
      async (previewed) => {
        if (previewed.kind === 'cluster') looked += 1;
        missing.delete(previewed.cluster);
        if (looked > 0 && looked % progressClusters === 0 && previewed.kind === 'cluster')
          process.stderr.write(`${looked} decided\n`);
        await print(json ? JSON.stringify(previewed) : formatPreviewed(previewed));
      },
    );
    await print(json ? JSON.stringify({ kind: 'summary', ...summary }) : formatSummary(summary));
    if (stopping.signal.aborted) process.stderr.write('stopped before the last cluster\n');
    else if (missing.size > 0) throw unknownClusters([...missing]);
  } catch (error) {
    if (error !== readerGone) throw error;
  } finally {
    await lifecycle.stop();
  }
}

function formatAlerts({ active, ended, reasons }: AlertsPreview): string {
  const counted = Object.entries(reasons).map(([reason, count]) => `  ${count} ${reason}: ${reasonSentence(reason)}`);
  return [`Nothing was posted and nothing was written: ${active} active, ${ended} that would end`, ...counted].join(
    '\n',
  );
}

function unknownClusters(clusters: readonly string[]): CcxError {
  return new CcxError(`no report of cluster ${clusters.join(', ')} is stored, and no message about it waits`, {
    code: 'CLUSTER_UNKNOWN',
    category: 'input',
    hint: 'check the id; an archive of it that was taken shows its way with ccx trace <request-id>',
  });
}

/** Ends the transaction, and is no failure: a reader has seen enough (`| head`). */
const readerGone = Symbol('reader gone');

async function print(text: string): Promise<void> {
  if (process.stdout.write(`${text}\n`)) return;
  try {
    await once(process.stdout, 'drain');
  } catch (error) {
    throw (error as NodeJS.ErrnoException).code === 'EPIPE' ? readerGone : error;
  }
}

/** Timestamps are UTC without a zone. */
function moment(timestamp: string): string {
  return `${timestamp.slice(0, 19)} UTC`;
}

const messageKinds = {
  waits: 'waits to be sent',
  again: 'is to be sent again, as a person asked',
  resolved: 'says that an issue is resolved',
} as const;

export function formatPreviewed(previewed: Previewed): string {
  if (previewed.kind !== 'cluster') {
    return [
      `${previewed.target}, cluster ${previewed.cluster}: a message ${messageKinds[previewed.kind]}`,
      ...messageLines(previewed),
      '',
    ].join('\n');
  }
  const { target, cluster, orgId, reportUpdatedAt, error, issues, messages } = previewed;
  return [
    `${target}, cluster ${cluster} of organization ${orgId}, report of ${moment(reportUpdatedAt)}`,
    ...(error === undefined ? [] : [`  ${error}`]),
    ...issues.flatMap(issueLines),
    ...(issues.length === 0 && error === undefined ? ['  no issues'] : []),
    ...messages.flatMap(messageLines),
    '',
  ].join('\n');
}

function issueLines({
  notify,
  reason,
  component,
  errorKey,
  totalRisk,
  nextEligibleAt,
  acknowledgement,
}: Extract<Previewed, { readonly kind: 'cluster' }>['issues'][number]): string[] {
  const risk = totalRisk === undefined ? '' : `, total risk ${totalRisk}`;
  const next = nextEligibleAt === undefined ? '' : ` Next possible ${moment(nextEligibleAt)}.`;
  return [
    `  ${notify ? 'notified' : 'not notified'}  ${errorKey}  ${component}${risk}`,
    `    ${reason}: ${reasonSentence(reason)}${next}`,
    ...(acknowledgement === undefined ? [] : [`    ${acknowledgedText({ ...acknowledgement, endedAt: null })}`]),
  ];
}

function messageLines({
  id,
  headers,
  body,
  dueAt,
  notSent,
}: Extract<Previewed, { readonly kind: 'cluster' }>['messages'][number]): string[] {
  return [
    `  message ${id}, ${Buffer.byteLength(body)} bytes, from ${moment(dueAt)} on`,
    ...(notSent === undefined ? [] : [`    would not be sent now: ${notSent}`]),
    ...Object.entries(headers).map(([name, value]) => `    ${name}: ${value}`),
    ...body.split('\n').map((line) => `    ${line}`),
  ];
}

export function formatSummary({ at, targets }: PreviewSummary): string {
  const lines = targets.map(({ target, pausedUntil, clusters, reasons, messages }) => {
    const counted = Object.entries(reasons)
      .sort(([left], [right]) => (left < right ? -1 : 1))
      .map(([reason, count]) => `${reason} ${count}`);
    const paused = pausedUntil === undefined ? '' : `; the target is paused until ${moment(pausedUntil)}`;
    return [
      `${target}: clusters ${clusters}; messages new ${messages.new}, waiting ${messages.waiting}, sent again ${messages.again}${paused}`,
      ...(counted.length === 0 ? [] : [`  issues: ${counted.join(', ')}`]),
    ].join('\n');
  });
  return [`Nothing was sent and nothing was written; as it would be at ${moment(at)}:`, ...lines].join('\n');
}
