/**
 * Reads a message of topic `ccx.ocp.results` with the acceptance rules of the reference's writer, in one pass over its bytes: which
 * attributes count, in which order they are checked, what is refused. The members of `Report` are not built, only located, because
 * most are dropped and the rest is stored byte for byte (`shrunk-report.ts`). Called by the notification writer (hop 7).
 * What a message from the past or the future means is not judged here. Source: notification-writer.md 4.1, 4.2, 4.4, 4.5.
 */
import { type CcxError, inputError } from '../encoding/ccx-error.ts';
import { foldLikeGo } from '../encoding/go-decoder.ts';
import { JsonScanner, type JsonSlice, JsonSyntaxError } from '../encoding/json-scanner.ts';
import { decodeJsonString, ExpectedNames } from '../encoding/json-text.ts';

/** One top-level member of `Report`: where its value lies in the message. */
export interface ReportMember extends JsonSlice {
  /** Length of the value in canonical text. */
  readonly canonicalBytes: number;
  /** True when the value is canonical text as it is. */
  readonly isCanonical: boolean;
}

/** `Report` as slices of the message; a key that occurs twice is its last occurrence, as in the reference. */
export interface ReportSlices {
  readonly text: Buffer;
  readonly members: ReadonlyMap<string, ReportMember>;
}

export interface ReceivedReport {
  /** 0 … 4294967295; the table takes half of that. */
  readonly orgId: number;
  readonly accountNumber: number;
  /** A UUID in one of four spellings, as received. */
  readonly clusterName: string;
  /** As received; null or undefined where it is that. Either is as bad as an empty text. */
  readonly lastChecked: string | null | undefined;
  /** 0 when missing. */
  readonly version: number;
  /** Empty when missing: the message is then not tracked. */
  readonly requestId: string;
  /** Where the value of `Metadata` lies, whatever it is: the reference ignores it. */
  readonly metadata: JsonSlice | undefined;
  readonly report: ReportSlices;
}

/** What is known of a message that was refused, for the tracker and for people. */
export interface RefusedReport {
  readonly error: CcxError;
  /** Empty when the message is not even JSON. */
  readonly requestId: string;
  readonly orgId: number | undefined;
  readonly clusterName: string | undefined;
}

export type OcpResultsParse =
  | { readonly kind: 'received'; readonly report: ReceivedReport }
  | { readonly kind: 'refused'; readonly refused: RefusedReport };

/** Checked in this order; the first missing one is reported. Only presence matters, the value may be null. */
const requiredReportKeys = ['fingerprints', 'reports', 'system'] as const;

const QUOTE = 0x22;
const NULL_START = 0x6e;
const OPEN_BRACKET = 0x5b;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

const unsigned32Max = 4_294_967_295;
const unsigned8Max = 255;

/** Values that are remembered, the last ones used; shorter ones are walked over sooner than they are compared. */
const repeatedValuesMax = 16;
const repeatedBytesMin = 512;
const repeatedBytesMax = 64 * 1024;

/**
 * Lists of `Report` that message after message has in common: which rules were skipped, and why, fills half of a message and is the same for
 * clusters of one kind. Whoever reads many messages keeps one of these, and bytes that were walked over before are compared instead.
 */
export class RepeatedValues {
  readonly #known: {
    readonly bytes: Buffer;
    readonly whitespaceBytes: number;
    readonly escapeGrowthBytes: number;
  }[] = [];

  /** As the scanner's `skipValue`. A list ends with its own bracket, so that the same bytes are the same value whatever follows them. */
  skip(scanner: JsonScanner, from: number, depthAround: number): number {
    const { text } = scanner;
    if (text[from] !== OPEN_BRACKET) return scanner.skipValue(from, depthAround);
    const at = this.#known.findIndex(({ bytes }) => {
      const end = from + bytes.length;
      return end <= text.length && text.compare(bytes, 0, bytes.length, from, end) === 0;
    });
    if (at !== -1) {
      const known = this.#known[at]!;
      if (at > 0) this.#known.unshift(...this.#known.splice(at, 1));
      scanner.whitespaceBytes += known.whitespaceBytes;
      scanner.escapeGrowthBytes += known.escapeGrowthBytes;
      return from + known.bytes.length;
    }
    const { whitespaceBytes, escapeGrowthBytes } = scanner;
    const end = scanner.skipValue(from, depthAround);
    if (end - from < repeatedBytesMin || end - from > repeatedBytesMax) return end;
    this.#known.unshift({
      bytes: Buffer.from(text.subarray(from, end)),
      whitespaceBytes: scanner.whitespaceBytes - whitespaceBytes,
      escapeGrowthBytes: scanner.escapeGrowthBytes - escapeGrowthBytes,
    });
    if (this.#known.length > repeatedValuesMax) this.#known.pop();
    return end;
  }
}

/** Never throws. Codes: `REPORT_NOT_JSON`, `REPORT_WRONG_TYPE`, `REPORT_MISSING_ATTRIBUTE`, `REPORT_CLUSTER_NOT_UUID`, `REPORT_STRUCTURE`. */
export function parseOcpResults(value: Buffer | null, repeated?: RepeatedValues): OcpResultsParse {
  const attributes = new Attributes(value ?? Buffer.alloc(0), repeated);
  try {
    attributes.read();
  } catch (error) {
    if (!(error instanceof JsonSyntaxError)) throw error;
    // Nothing of a text that is not JSON counts, however much of it was readable.
    return refuse(notJson(error, value), new Attributes(Buffer.alloc(0)));
  }
  const { orgId, accountNumber, clusterName, report } = attributes;
  if (attributes.typeError !== undefined) {
    return refuse(inputError('REPORT_WRONG_TYPE', attributes.typeError), attributes);
  }
  if (!isThere(orgId) || !isThere(accountNumber) || !isThere(clusterName) || !isThere(report)) {
    return refuse(missingAttribute(attributes), attributes);
  }
  if (!isLenientUuid(clusterName)) {
    return refuse(
      inputError('REPORT_CLUSTER_NOT_UUID', 'cluster name is not a UUID', inQuotes(clusterName)),
      attributes,
    );
  }
  const absent = requiredReportKeys.filter((key) => !report.has(key));
  if (absent.length > 0) {
    const error = `Improper report structure, missing key ${absent[0]}`;
    return refuse(inputError('REPORT_STRUCTURE', error, alsoMissing(absent)), attributes);
  }
  const { lastChecked, version, requestId, metadata } = attributes;
  return {
    kind: 'received',
    report: {
      orgId,
      accountNumber,
      clusterName,
      lastChecked,
      version,
      requestId,
      metadata,
      report: { text: attributes.text, members: report },
    },
  };
}

/** The message's attributes as they come by; a repeated one replaces its predecessor, the first type error is kept. */
class Attributes {
  readonly text: Buffer;
  readonly scanner: JsonScanner;
  readonly #repeated: RepeatedValues | undefined;
  orgId: number | null | undefined;
  accountNumber: number | null | undefined;
  clusterName: string | null | undefined;
  lastChecked: string | null | undefined;
  version = 0;
  requestId = '';
  metadata: JsonSlice | undefined;
  report: Map<string, ReportMember> | null | undefined;
  typeError: string | undefined;
  /** The message is `null`, which is an object with everything missing. */
  isNull = false;

  constructor(text: Buffer, repeated?: RepeatedValues) {
    this.text = text;
    this.scanner = new JsonScanner(text);
    this.#repeated = repeated;
  }

  /** Walks over the whole text; throws `JsonSyntaxError`. */
  read(): void {
    const scanner = this.scanner;
    const start = scanner.skipSpace(0);
    const first = this.text[start];
    let at: number;
    if (first === OPEN_BRACE) {
      at = this.#readMembers(start, expectedAttributes, (name, from) => this.#readAttribute(name, from));
    } else {
      at = scanner.skipValue(start, 0);
      this.isNull = first === NULL_START;
      if (!this.isNull) this.typeError = `the message is ${kindOf(first)}, expected an object`;
    }
    scanner.skipToEnd(at);
  }

  /** Steps over the object at `from`; `readValue` must step over each value. */
  #readMembers(from: number, expected: ExpectedNames, readValue: (name: string, from: number) => number): number {
    const scanner = this.scanner;
    let at = scanner.skipSpace(from + 1);
    if (this.text[at] === CLOSE_BRACE) return at + 1;
    for (;;) {
      const keyEnd = scanner.skipString(at);
      const name = expected.decode(this.text, at, keyEnd);
      at = scanner.skipSpace(readValue(name, scanner.skipColon(keyEnd)));
      if (this.text[at] === CLOSE_BRACE) return at + 1;
      at = scanner.skipComma(at);
    }
  }

  #readAttribute(name: string, from: number): number {
    const attribute = attributeNames.get(name) ?? attributeNames.get(foldLikeGo(name));
    if (attribute === 'Report') return this.#readReport(from);
    const end = this.scanner.skipValue(from, 1);
    if (attribute === 'Metadata') this.metadata = { start: from, end };
    else if (attribute !== undefined) this.#takeScalar(attribute, from, end);
    return end;
  }

  /** A null unsets the attributes that may be missing and leaves the others as an earlier member set them. */
  #takeScalar(attribute: string, from: number, end: number): void {
    switch (attribute) {
      case 'OrgID':
        this.orgId = this.#unsigned(attribute, from, end, unsigned32Max);
        return;
      case 'AccountNumber':
        this.accountNumber = this.#unsigned(attribute, from, end, unsigned32Max);
        return;
      case 'Version':
        this.version = this.#unsigned(attribute, from, end, unsigned8Max) ?? this.version;
        return;
      case 'ClusterName':
        this.clusterName = this.#string(attribute, from, end);
        return;
      case 'LastChecked':
        this.lastChecked = this.#string(attribute, from, end) ?? this.lastChecked ?? null;
        return;
      default:
        this.requestId = this.#string(attribute, from, end) ?? this.requestId;
    }
  }

  #unsigned(attribute: string, from: number, end: number, max: number): number | null | undefined {
    const first = this.text[from];
    if (first === NULL_START) return null;
    const literal = this.text.toString('latin1', from, Math.min(end, from + numberBytesShown));
    if (/^\d+$/.test(literal) && Number(literal) <= max) return Number(literal);
    const found = kindOf(first) === 'a number' ? `the number ${literal}` : kindOf(first);
    this.typeError ??= `attribute '${attribute}' is ${found}, expected an integer from 0 to ${max}`;
    return undefined;
  }

  #string(attribute: string, from: number, end: number): string | null | undefined {
    const first = this.text[from];
    if (first === QUOTE) return decodeJsonString(this.text, from, end);
    if (first === NULL_START) return null;
    this.typeError ??= `attribute '${attribute}' is ${kindOf(first)}, expected a string`;
    return undefined;
  }

  #readReport(from: number): number {
    const first = this.text[from];
    if (first !== OPEN_BRACE) {
      if (first === NULL_START) this.report = null;
      else this.typeError ??= `attribute 'Report' is ${kindOf(first)}, expected an object`;
      return this.scanner.skipValue(from, 1);
    }
    // A second `Report` is merged into the first one.
    const members = this.report ?? new Map<string, ReportMember>();
    this.report = members;
    const { scanner } = this;
    return this.#readMembers(from, expectedReportKeys, (key, start) => {
      const { whitespaceBytes, escapeGrowthBytes } = scanner;
      const repeated = key === 'skips' ? this.#repeated : undefined;
      const end = repeated?.skip(scanner, start, 2) ?? scanner.skipValue(start, 2);
      const removed = scanner.whitespaceBytes - whitespaceBytes;
      const added = scanner.escapeGrowthBytes - escapeGrowthBytes;
      const isCanonical = removed === 0 && added === 0;
      members.set(key, { start, end, canonicalBytes: end - start - removed + added, isCanonical });
      return end;
    });
  }
}

const attributes = [
  ...['OrgID', 'AccountNumber', 'ClusterName', 'Report', 'LastChecked', 'Version', 'RequestId'],
  'Metadata',
];
const expectedAttributes = new ExpectedNames(attributes);
const attributeNames: ReadonlyMap<string, string> = new Map(
  attributes.flatMap((name) => [
    [name, name],
    [foldLikeGo(name), name],
  ]),
);

/** Expected only; every other key is kept too. */
const expectedReportKeys = new ExpectedNames([...requiredReportKeys, 'skips', 'info', 'pass', 'analysis_metadata']);

/** Longer literals are out of every range; this is how much of them an error shows. */
const numberBytesShown = 24;

/** Characters of a sender's text that an error shows. */
const textCharactersShown = 60;

/** A sender's text in quotes, in an error for people: one that is long is cut. */
export function inQuotes(text: string): string {
  if (text.length <= textCharactersShown) return JSON.stringify(text);
  return `${JSON.stringify(`${text.slice(0, textCharactersShown)}…`)} (${text.length} characters)`;
}

function kindOf(firstByte: number | undefined): string {
  if (firstByte === QUOTE) return 'a string';
  if (firstByte === 0x5b) return 'an array';
  if (firstByte === OPEN_BRACE) return 'an object';
  if (firstByte === 0x74 || firstByte === 0x66) return 'a boolean';
  return firstByte === NULL_START ? 'null' : 'a number';
}

const hyphenated = '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}';
const lenientUuid = new RegExp(
  `^(?:${hyphenated}|[0-9a-f]{32}|[\\x00-\\x7f]${hyphenated}[\\x00-\\x7f]|urn:uuid:${hyphenated})$`,
  'i',
);

/** Hyphenated, 32 digits, between any two one-byte characters (meant for braces), or `urn:uuid:`. Source: notification-writer.md 4.2. */
export function isLenientUuid(text: string): boolean {
  return lenientUuid.test(text);
}

function refuse(error: CcxError, known: Attributes): OcpResultsParse {
  const { requestId, orgId, clusterName } = known;
  return {
    kind: 'refused',
    refused: { error, requestId, orgId: orgId ?? undefined, clusterName: clusterName ?? undefined },
  };
}

function isThere<Value>(value: Value | null | undefined): value is Value {
  return value !== null && value !== undefined;
}

/**
 * The message is the reference's, here and below. What it leaves open, so that faults look alike (nothing and cut off, null and missing),
 * is the cause, which people read behind it.
 */
function notJson({ message, at }: JsonSyntaxError, value: Buffer | null): CcxError {
  const refuseFor = (cause: string) => inputError('REPORT_NOT_JSON', message, cause);
  if (value === null) return refuseFor('there is no value');
  if (value.length === 0) return refuseFor('the value is empty');
  if (at < value.length) return refuseFor(`at byte ${at}`);
  return refuseFor(/^[ \t\r\n]+$/.test(value.toString('latin1')) ? 'the value is blank' : `it ends after byte ${at}`);
}

/** In the order of the reference; at least one is missing. */
function missingAttribute(known: Attributes): CcxError {
  const { orgId, accountNumber, clusterName, report } = known;
  const required = { OrgID: orgId, AccountNumber: accountNumber, ClusterName: clusterName, Report: report };
  const missing = Object.entries(required).flatMap(([name, value]) => (isThere(value) ? [] : [{ name, value }]));
  const cause = known.isNull
    ? 'the message is null'
    : alsoMissing(missing.map(({ name, value }) => (value === null ? `${name} (null)` : name)));
  return inputError('REPORT_MISSING_ATTRIBUTE', `missing required attribute '${missing[0]!.name}'`, cause);
}

/** Undefined where the message has said it all. */
function alsoMissing(names: readonly string[]): string | undefined {
  const [first = ''] = names;
  return names.length > 1 || first.endsWith(')') ? `missing are ${names.join(', ')}` : undefined;
}
