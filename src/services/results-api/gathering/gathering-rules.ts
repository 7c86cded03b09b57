/**
 * A folder of documents that say what operators gather, and for which versions of OpenShift each is: `versions.json` is a list of pairs of
 * a version and a file, in ascending order, and the last one that is not above the version asked for counts. Read and checked at the
 * start. The pairs are those of the hosted service's `cluster_version_mapping.json`. Source: ingress.md B.5.
 */
import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { CcxError } from '../../../encoding/ccx-error.ts';
import { compareVersions, parseVersion, type SemanticVersion } from '../../../rules/engine/semantic-version.ts';
import { type GatheringDocument, gatheringDocumentSchema } from './gathering-document.ts';

/** Ours, which ask for the logs that our rules read. */
const ownFolder = fileURLToPath(new URL('./documents/', import.meta.url));
const versionsFile = 'versions.json';
/** The operator reads it whole, in every cluster, at each gathering. */
const documentBytesMax = 1024 ** 2;

const versionsSchema = z.array(z.tuple([z.string(), z.string()])).min(1);

interface Entry {
  readonly from: SemanticVersion;
  readonly document: GatheringDocument;
}

/** Whose document it is, or why there is none. */
type Choice =
  | { readonly kind: 'document'; readonly document: GatheringDocument }
  | { readonly kind: 'no-version' }
  | { readonly kind: 'too-old'; readonly oldest: string };

export interface GatheringRules {
  choose(version: string): Choice;
  /** For operators that do not say their version: of the oldest ones that there is a document for. */
  readonly oldest: GatheringDocument;
}

/** An empty folder's name is ours. Rejects with `GATHERING_UNREADABLE`, `GATHERING_INVALID`. */
export async function openGatheringRules(folder: string): Promise<GatheringRules> {
  const path = folder === '' ? ownFolder : folder;
  const pairs = await readChecked(join(path, versionsFile), versionsSchema);
  const entries: Entry[] = [];
  for (const [version, file] of pairs) {
    const from = parseStrictly(version);
    if (from === undefined) throw invalid(join(path, versionsFile), `${JSON.stringify(version)} is no version`);
    const before = entries.at(-1);
    if (before !== undefined && compareVersions(before.from, from) >= 0)
      throw invalid(join(path, versionsFile), `${version} does not come after the version before it`);
    if (file !== basename(file))
      throw invalid(join(path, versionsFile), `${JSON.stringify(file)} is no file of the folder`);
    entries.push({ from, document: await readChecked(join(path, file), gatheringDocumentSchema) });
  }
  const oldest = pairs[0]![0];
  return {
    choose: (version) => chooseDocument(version, { entries, oldest }),
    oldest: entries[0]!.document,
  };
}

function chooseDocument(
  version: string,
  { entries, oldest }: { readonly entries: readonly Entry[]; readonly oldest: string },
): Choice {
  const asked = parseStrictly(version);
  if (asked === undefined) return { kind: 'no-version' };
  const entry = entries.findLast(({ from }) => compareVersions(from, asked) <= 0);
  return entry === undefined ? { kind: 'too-old', oldest } : { kind: 'document', document: entry.document };
}

/** Without a `v` in front, as OpenShift's releases are named. */
function parseStrictly(version: string): SemanticVersion | undefined {
  return /^\d/.test(version) ? parseVersion(version) : undefined;
}

async function readChecked<T>(path: string, schema: z.ZodType<T>): Promise<T> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    throw new CcxError(`${path} cannot be read`, {
      code: 'GATHERING_UNREADABLE',
      category: 'configuration',
      cause,
      hint,
    });
  }
  if (Buffer.byteLength(text) > documentBytesMax) throw invalid(path, `it has more than ${documentBytesMax} bytes`);
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (cause) {
    throw invalid(path, 'it is not JSON', cause);
  }
  const parsed = schema.safeParse(document);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw invalid(path, `${issue?.path.join('.') || 'it'}: ${issue?.message ?? ''}`);
}

const hint = 'check the folder that gathering.path names';

function invalid(path: string, why: string, cause?: unknown): CcxError {
  return new CcxError(`${path} is refused: ${why}`, {
    code: 'GATHERING_INVALID',
    category: 'configuration',
    cause,
    hint,
  });
}
