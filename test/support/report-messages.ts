/** Messages of topic `ccx.ocp.results` for tests of their readers: as text, so that a test can spell an attribute as it likes. */
import { serializePayloadStatus } from '../../src/contracts/payload-status.ts';
import type { Bus } from '../../src/platform/bus/bus.ts';

export const reportCluster = '5d5892d3-1f74-4ccf-91af-548dfc9767aa';

/** Attribute → JSON text; undefined leaves it out. */
export type ReportAttributes = Readonly<Record<string, string | undefined>>;

/** A valid message of a report without hits, with some attributes changed. */
export function reportMessage(changes: ReportAttributes = {}): string {
  const attributes: Record<string, string | undefined> = {
    OrgID: '1',
    AccountNumber: '2',
    ClusterName: JSON.stringify(reportCluster),
    Report: '{"fingerprints":[],"reports":[],"system":{}}',
    LastChecked: '"2020-01-23T16:15:59.478901889Z"',
    Version: '2',
    RequestId: '"3nl2vda87ld6e3s25jlk7n2dna"',
    ...changes,
  };
  const members = Object.entries(attributes).filter(([, value]) => value !== undefined);
  return `{${members.map(([name, value]) => `${JSON.stringify(name)}:${value}`).join(',')}}`;
}

/** A report for the writer and a status for the tracker, as hop 7 and ingress send them. */
export async function sendReportAndStatus(
  bus: Bus,
  topics: { readonly reports: string; readonly statuses: string },
  reports: readonly unknown[],
): Promise<void> {
  const producer = await bus.createProducer();
  const status = { service: 'ingress', request_id: 'r', status: 'received' as const, date: new Date().toISOString() };
  await producer.send([
    {
      topic: topics.reports,
      value: reportMessage({ Report: JSON.stringify({ fingerprints: [], reports, system: {} }) }),
    },
    { topic: topics.statuses, value: serializePayloadStatus(status) },
  ]);
  await producer.close();
}
