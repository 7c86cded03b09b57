/**
 * A message of topic `ccx.ocp.results` as the bytes that are sent: checked against the strictest of its readers, members in the order
 * of the reference, one newline at the end. The report is checked and written where it is made, in a rule runner; the data pipeline
 * (hop 6) puts its text between what the announcement says. The reading side is `parse-ocp-results.ts`. Source: data-pipeline.md 5.2, 5.3.
 */
import { z } from 'zod';
import { parseRfc3339 } from '../encoding/rfc3339.ts';
import { checked } from './checked.ts';
import { isUuid } from './identifiers.ts';
import type { Report } from './report.ts';

/** The writer reads both numbers into an unsigned 32-bit integer. */
const unsigned32 = z.int().min(0).max(4_294_967_295);

const gatheringTime = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$/;

/** What every item of a report has in common; `details` is what templates see. */
const item = z.looseObject({
  component: z.string().min(1),
  key: z.string().min(1),
  details: z.looseObject({}),
  tags: z.array(z.string()),
  links: z.record(z.string(), z.array(z.string())),
});

const complaint = 'Error encoding the response to publish';
const invalid = { code: 'REPORT_INVALID', category: 'input' } as const;

const reportSchema = z.object({
  Report: z.looseObject({
    system: z.looseObject({}),
    reports: z.array(item.extend({ rule_id: z.string().min(1), type: z.literal('rule') })),
    fingerprints: z.array(z.unknown()),
    skips: z.array(z.looseObject({ rule_fqdn: z.string().min(1), type: z.literal('skip') })),
    /** The results aggregator decodes these details into a map of strings. */
    info: z.array(item.extend({ type: z.literal('info'), details: z.record(z.string(), z.string()) })),
    pass: z.array(item.extend({ type: z.literal('pass') })),
    analysis_metadata: z.looseObject({ start: z.string(), finish: z.string() }),
  }),
});

/** What the announcement and the archive's name say beside the report, which comes behind `ClusterName`. */
const envelopeSchema = z.strictObject({
  OrgID: unsigned32,
  ClusterName: z.string().refine(isUuid, 'must be a UUID'),
  /** The announcement's timestamp, unchanged. */
  LastChecked: z.string().refine((text) => parseRfc3339(text) !== undefined, 'must be RFC 3339'),
  Version: z.literal(2),
  RequestId: z.string().nullable(),
  Metadata: z.strictObject({ gathering_time: z.string().regex(gatheringTime, 'must be YYYY-MM-DDTHH:MM:SSZ') }),
  /** 0 when unknown: the writer requires the member. */
  AccountNumber: unsigned32,
});

export type OcpResultsEnvelope = Readonly<z.infer<typeof envelopeSchema>>;

/** The member `Report`. Throws `REPORT_INVALID`, naming the members at fault (never their values). */
export function serializeReport(report: Report): string {
  checked(reportSchema, { Report: report }, complaint, invalid);
  return asciiJson(report);
}

/** `reportText` is what `serializeReport` answered: it is not looked at again. Throws `REPORT_INVALID` for the other members. */
export function serializeOcpResults(envelope: OcpResultsEnvelope, reportText: string): string {
  checked(envelopeSchema, envelope, complaint, invalid);
  const { OrgID, ClusterName, LastChecked, Version, RequestId, Metadata, AccountNumber } = envelope;
  const before = asciiJson({ OrgID, ClusterName }).slice(0, -1);
  const behind = asciiJson({ LastChecked, Version, RequestId, Metadata, AccountNumber }).slice(1);
  return `${before},"Report":${reportText},${behind}\n`;
}

/** Non-ASCII text is escaped, as in the reference; in JSON such characters occur inside strings only, so that the escape is always legal. */
function asciiJson(value: object): string {
  return JSON.stringify(value).replace(
    /[\u007f-\uffff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** As we produce it. */
export type OcpResultsMessage = OcpResultsEnvelope & { readonly Report: Report };
