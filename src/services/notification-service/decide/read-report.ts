/**
 * Reads a stored report: which issues it holds, the raw text of an issue's details, and the same report without some of its issues.
 * Only `type`, `component`, `key` and the text of `details` count. Never throws on what a row may hold; judging the issues is
 * `decide-cluster.ts`'s. Source: notification-service.md 8.1, 7.3.
 */

import { type Issue, issueIdentity } from '../../../contracts/issue.ts';
import { CcxError } from '../../../encoding/ccx-error.ts';
import { isJsonObject } from '../../../encoding/json-text.ts';

/** Text of one stored report in UTF-8. The largest genuine shrunk reports are some hundred kB; a run holds a set of them in memory. */
export const reportBytesMax = 8 * 1024 * 1024;

/** Issues of one report. The whole rule catalog has a few hundred error keys. */
export const reportIssuesMax = 10_000;
/** `type`, `component` and `key` of one issue together in UTF-8: they are the ledger's primary key, and a B-tree entry ends at 2704 bytes. */
export const issueKeyBytesMax = 1_500;

export interface ReportIssue extends Issue {
  /** Position in the report's `reports`; of the first one where an issue occurs twice. */
  readonly position: number;
}

export type ReadReport =
  | {
      readonly kind: 'read';
      /** Each issue once, in report order. */
      readonly issues: readonly ReportIssue[];
      /** What stands at each position, repetitions included. */
      readonly elements: readonly (Issue | undefined)[];
    }
  | { readonly kind: 'unreadable'; readonly error: CcxError };

/** An error's code is `REPORT_UNREADABLE`, or `REPORT_TOO_LARGE` for a text that was not read from the database because of its size. */
export function readReport(text: string | undefined): ReadReport {
  if (text === undefined) {
    const error = new CcxError(`the stored report is larger than ${reportBytesMax} bytes`, {
      code: 'REPORT_TOO_LARGE',
      category: 'limit',
    });
    return { kind: 'unreadable', error };
  }
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (cause) {
    return unreadable('it is not JSON', cause);
  }
  if (document === null) return { kind: 'read', issues: [], elements: [] };
  if (!isJsonObject(document)) return unreadable('it is not an object');
  const elements = ownMember(document, 'reports');
  if (elements === undefined || elements === null) return { kind: 'read', issues: [], elements: [] };
  if (!Array.isArray(elements)) return unreadable('reports is not a list');
  if (elements.length > reportIssuesMax) return unreadable(`it has more than ${reportIssuesMax} issues`);
  const issues = new Map<string, ReportIssue>();
  const read: (Issue | undefined)[] = [];
  for (const [position, element] of elements.entries()) {
    const issue = element === null ? undefined : readIssue(element, position);
    if (typeof issue === 'string') return unreadable(issue);
    read.push(issue);
    if (issue === undefined) continue;
    const identity = issueIdentity(issue);
    if (!issues.has(identity)) issues.set(identity, { ...issue, position });
  }
  return { kind: 'read', issues: [...issues.values()], elements: read };
}

function readIssue(element: unknown, position: number): Issue | string {
  if (!isJsonObject(element)) return `reports[${position}] is not an object`;
  const type = readText(element, 'type');
  const component = readText(element, 'component');
  const errorKey = readText(element, 'key');
  if (type === undefined || component === undefined || errorKey === undefined) {
    return `reports[${position}] has a type, component or key that is not text`;
  }
  const bytes = Buffer.byteLength(type) + Buffer.byteLength(component) + Buffer.byteLength(errorKey);
  if (bytes > issueKeyBytesMax) return `reports[${position}] has a type, component and key of ${bytes} bytes`;
  // PostgreSQL has no NUL in text, and the issue's identity uses it as separator.
  if (`${type}${component}${errorKey}`.includes('\0')) return `reports[${position}] has a NUL in its key`;
  return { type, component, errorKey };
}

/** A missing or null member is the empty text, as in the reference; undefined when it is something else. */
function readText(element: Readonly<Record<string, unknown>>, name: string): string | undefined {
  const value = ownMember(element, name);
  if (value === undefined || value === null) return '';
  return typeof value === 'string' ? value.toWellFormed() : undefined;
}

function ownMember(object: Readonly<Record<string, unknown>>, name: string): unknown {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}

function unreadable(why: string, cause?: unknown): ReadReport {
  const error = new CcxError(`the stored report cannot be used: ${why}`, {
    code: 'REPORT_UNREADABLE',
    category: 'input',
    cause,
  });
  return { kind: 'unreadable', error };
}
