/**
 * Reads what a message tells beside the report that is stored: when the archive was gathered, the cluster's version, the catalogue that
 * made the report (from the headers), and which rules say nothing in it and why. All of it is the sender's content and none of it is needed
 * to store the report: what cannot be used is left out and counted, and never costs a report its place.
 */
import { isUtf8 } from 'node:buffer';
import { hash } from 'node:crypto';
import type { ReceivedReport } from '../../../contracts/parse-ocp-results.ts';
import { notRunReasons, SKIP_RULE_FAILED } from '../../../contracts/report.ts';
import { moduleOfComponent } from '../../../contracts/rule-content.ts';
import {
  catalogueVersionCharactersMax,
  HEADER_CATALOGUE_RULES,
  HEADER_CATALOGUE_VERSION,
} from '../../../contracts/topics.ts';
import { cutUtf8 } from '../../../encoding/cut-utf8.ts';
import type { JsonSlice } from '../../../encoding/json-scanner.ts';
import { isJsonObject } from '../../../encoding/json-text.ts';
import { parseRfc3339 } from '../../../encoding/rfc3339.ts';
import type { BusRecord } from '../../../platform/bus/bus.ts';
import type { Catalogue, IgnoredFact, ReportFacts, SkippedRules } from '../report.ts';

/** A part of a message that facts are read from; a hosted report of 139 skipped rules has 20 kB of them. What is larger is left alone. */
export const factPartBytesMax = 512 * 1024;
/** Modules of a catalogue, and rules that one report names as silent; the hosted catalogue has a few hundred. */
export const factRulesMax = 5_000;
/** The module of a rule in UTF-8. */
export const factModuleBytesMax = 256;
/** Why a rule was silent, in UTF-8: the inputs that it lacked. */
export const factDetailsBytesMax = 500;
/** Cluster versions are short; this is for what nobody thought of. */
const factClusterVersionBytesMax = 128;
/** Catalogues whose headers are remembered as read: two pipelines during an update, and as many again. */
const cataloguesRememberedMax = 4;
/** Lists of skipped rules that are remembered as read: what an archive lacks differs by version and kind of the cluster. */
const skipListsRememberedMax = 64;
/** Of one such list. */
const skipListRememberedBytesMax = 64 * 1024;

/** Never throws. */
export function readFacts(
  record: Pick<BusRecord, 'headers'>,
  received: ReceivedReport,
  memory: FactsMemory,
): ReportFacts {
  const ignored = new Set<IgnoredFact>();
  const attempt = <T>(fact: IgnoredFact, read: () => T | undefined): T | undefined => {
    try {
      return read();
    } catch {
      ignored.add(fact);
      return undefined;
    }
  };
  const { text, members } = received.report;
  const part = (slice: JsonSlice | undefined) => (slice === undefined ? undefined : parsePart(text, slice));
  const gatheredMicros = attempt('gathering-time', () => readGatheringTime(part(received.metadata)));
  const clusterVersion = attempt('cluster-version', () => readClusterVersion(part(members.get('info'))));
  const catalogue = attempt('catalogue', () => memory.readCatalogue(record.headers));
  const skips = members.get('skips');
  const silent = attempt('skips', () => (skips === undefined ? nothingSilent : memory.readSkips(text, skips)));
  if (silent?.complete === false) ignored.add('skips');
  const common = { gatheredMicros, clusterVersion, catalogue, ignored: [...ignored] };
  if (silent?.complete === true) return { ...common, didNotRun: silent.didNotRun, skipped: silent.skipped };
  // Any rule of the catalogue may be among those that cannot be read: none of them closes an issue.
  const skipped = silent?.rules.skipped ?? new Map<string, SilentRule>();
  const didNotRun = new Map(silent?.rules.didNotRun);
  for (const module of catalogue === undefined ? [] : modulesOf(catalogue)) {
    if (!skipped.has(module) && !didNotRun.has(module)) didNotRun.set(module, unreadableSkip);
  }
  return { ...common, didNotRun: jsonObject(didNotRun), skipped: skippedRules(skipped) };
}

/** Thrown and caught in this file only. */
class Unusable extends Error {}

function parsePart(text: Buffer, { start, end }: JsonSlice): unknown {
  if (end - start > factPartBytesMax) throw new Unusable();
  return JSON.parse(text.toString('utf8', start, end));
}

/** Undefined where the message does not say. */
function readGatheringTime(metadata: unknown): bigint | undefined {
  const text = isJsonObject(metadata) ? metadata['gathering_time'] : undefined;
  if (text === undefined || text === null) return undefined;
  const moment = typeof text === 'string' ? parseRfc3339(text) : undefined;
  if (moment === undefined) throw new Unusable();
  // Year 0 and what a time zone makes of year 9999 have no text that reads back.
  return /^\d{4}-/.test(moment.canonical) && !moment.canonical.startsWith('0000') ? moment.micros : undefined;
}

/** Where the results aggregator finds it. Source: data-pipeline.md 4.5. */
const clusterVersionInfo = 'version_info|CLUSTER_VERSION_INFO';

function readClusterVersion(info: unknown): string | undefined {
  if (info === undefined || info === null) return undefined;
  if (!Array.isArray(info)) throw new Unusable();
  const item: unknown = info.find((one) => isJsonObject(one) && one['info_id'] === clusterVersionInfo);
  if (!isJsonObject(item)) return undefined;
  const details = item['details'];
  const version = isJsonObject(details) ? details['version'] : undefined;
  if (!isStorableName(version, factClusterVersionBytesMax)) throw new Unusable();
  return version;
}

interface SilentRule {
  readonly reason: string;
  readonly details: string;
}

/** Which rules say nothing: as the table takes them, or as far as they could be read. */
type SilentRules =
  | { readonly complete: true; readonly didNotRun: string | undefined; readonly skipped: SkippedRules | undefined }
  | {
      readonly complete: false;
      readonly rules: Readonly<Record<'didNotRun' | 'skipped', ReadonlyMap<string, SilentRule>>>;
    };

const nothingSilent: SilentRules = { complete: true, didNotRun: undefined, skipped: undefined };

const unreadableSkip: SilentRule = { reason: SKIP_RULE_FAILED, details: 'the skips of its report cannot be read' };

function modulesOf({ rules }: Catalogue): readonly string[] {
  return JSON.parse(rules) as string[];
}

const ownReasons: ReadonlySet<unknown> = new Set(notRunReasons);

/**
 * A rule that is named twice did not run as soon as one of its items says so: then nothing is known of its issues. Not `complete` when an
 * item could not be used, or there were too many.
 */
function readSkips(skips: unknown): SilentRules {
  if (skips === undefined || skips === null) return nothingSilent;
  if (!Array.isArray(skips)) throw new Unusable();
  const didNotRun = new Map<string, SilentRule>();
  const skipped = new Map<string, SilentRule>();
  let complete = true;
  for (const item of skips as readonly unknown[]) {
    const { rule_fqdn: name, reason, details } = isJsonObject(item) ? item : {};
    const module = typeof name === 'string' ? moduleOfComponent(name) : undefined;
    const rules = ownReasons.has(reason) ? didNotRun : skipped;
    const usable = isStorableName(module, factModuleBytesMax) && isStorableName(reason, factModuleBytesMax);
    if (!usable || rules.size >= factRulesMax) {
      complete = false;
      continue;
    }
    const shown = typeof details === 'string' ? details.toWellFormed().replaceAll('\0', '\ufffd') : '';
    if (!rules.has(module)) rules.set(module, { reason, details: cutUtf8(shown, factDetailsBytesMax) });
  }
  for (const module of didNotRun.keys()) skipped.delete(module);
  if (!complete) return { complete, rules: { didNotRun, skipped } };
  return { complete, didNotRun: jsonObject(didNotRun), skipped: skippedRules(skipped) };
}

/** Undefined for none, so that most rows have NULL there. */
function jsonObject(rules: ReadonlyMap<string, SilentRule>): string | undefined {
  return rules.size === 0 ? undefined : JSON.stringify(Object.fromEntries(rules));
}

function skippedRules(skipped: ReadonlyMap<string, SilentRule>): SkippedRules | undefined {
  const rules = jsonObject(skipped);
  return rules === undefined ? undefined : { rules, sha256: hash('sha256', rules, 'buffer') };
}

type Headers = BusRecord['headers'];

/** What one message after the other has in common is read once. Both functions throw for what cannot be used. */
export interface FactsMemory {
  readonly readCatalogue: (headers: Headers) => Catalogue | undefined;
  readonly readSkips: (text: Buffer, slice: JsonSlice) => SilentRules;
}

export function createFactsMemory(): FactsMemory {
  return { readCatalogue: createCatalogueReader(), readSkips: createSkipsReader() };
}

/** Remembers the last catalogues: thousands of messages in a row carry the same list. */
function createCatalogueReader(): FactsMemory['readCatalogue'] {
  const remembered: { readonly version: Buffer; readonly rules: Buffer; readonly catalogue: Catalogue }[] = [];
  return (headers) => {
    const version = onlyHeader(headers, HEADER_CATALOGUE_VERSION);
    const rules = onlyHeader(headers, HEADER_CATALOGUE_RULES);
    if (version === undefined && rules === undefined) return undefined;
    if (version === undefined || rules === undefined) throw new Unusable();
    const known = remembered.find((one) => one.version.equals(version) && one.rules.equals(rules));
    if (known !== undefined) return known.catalogue;
    const catalogue = parseCatalogue(version, rules);
    remembered.unshift({ version: Buffer.from(version), rules: Buffer.from(rules), catalogue });
    remembered.length = Math.min(remembered.length, cataloguesRememberedMax);
    return catalogue;
  };
}

/** Remembers lists by their bytes, those used last: clusters of one kind and version lack the same things. */
function createSkipsReader(): FactsMemory['readSkips'] {
  const remembered: { readonly bytes: Buffer; readonly silent: SilentRules }[] = [];
  return (text, slice) => {
    const { start, end } = slice;
    const at = remembered.findIndex(
      ({ bytes }) => bytes.length === end - start && text.compare(bytes, 0, bytes.length, start, end) === 0,
    );
    if (at !== -1) {
      const known = remembered[at]!;
      if (at > 0) remembered.unshift(...remembered.splice(at, 1));
      return known.silent;
    }
    const silent = readSkips(parsePart(text, slice));
    if (!silent.complete || end - start > skipListRememberedBytesMax) return silent;
    remembered.unshift({ bytes: Buffer.from(text.subarray(start, end)), silent });
    remembered.length = Math.min(remembered.length, skipListsRememberedMax);
    return silent;
  };
}

/** Two headers of one name say nothing. */
function onlyHeader(headers: Headers, wanted: string): Buffer | undefined {
  const found = headers.filter(({ name }) => name === wanted);
  if (found.length > 1) throw new Unusable();
  // One without a value is there, and says nothing.
  return found[0]?.value === null ? Buffer.alloc(0) : found[0]?.value;
}

/** A catalogue without rules, or with something in it that is no module, made no report. */
function parseCatalogue(versionBytes: Buffer, rulesBytes: Buffer): Catalogue {
  if (rulesBytes.length > factPartBytesMax || !isUtf8(versionBytes) || !isUtf8(rulesBytes)) throw new Unusable();
  const version = versionBytes.toString('utf8');
  if (!isStorableName(version, versionBytes.length) || version.length > catalogueVersionCharactersMax) {
    throw new Unusable();
  }
  const rules: unknown = JSON.parse(rulesBytes.toString('utf8'));
  if (!Array.isArray(rules) || rules.length === 0 || rules.length > factRulesMax) throw new Unusable();
  if (!rules.every((module): module is string => isStorableName(module, factModuleBytesMax))) throw new Unusable();
  const text = JSON.stringify([...new Set(rules)].sort());
  return { version, rules: text, rulesSha256: hash('sha256', text, 'buffer') };
}

/** Text that is neither empty nor too long, and that a table and a log line can hold. */
function isStorableName(value: unknown, bytesMax: number): value is string {
  if (typeof value !== 'string' || value === '') return false;
  // Nearly all names are ASCII, where characters are bytes.
  if (/^[ -~]+$/.test(value)) return value.length <= bytesMax;
  return Buffer.byteLength(value) <= bytesMax && value.isWellFormed() && !/\p{Cc}/u.test(value);
}
