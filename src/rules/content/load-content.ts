/**
 * A content folder → what users read about each rule. Called by the content service, by the notification service when it has no content
 * server, and by the catalog's tests. A rule that is not well formed is listed with its error and left out; only a folder that
 * cannot be read at all is an error. Source: data-pipeline.md 8.1, 8.3.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse as parseYaml } from 'yaml';
import type { ErrorKeyContent, RuleContent, RuleContentDirectory } from '../../contracts/rule-content.ts';
import { CcxError, errorText } from '../../encoding/ccx-error.ts';
import { isJsonObject, type JsonObject } from '../../encoding/json-text.ts';

/** Folders between a rule type and a rule; the hosted content has two or three. A loop of links would otherwise never end. */
export const contentDepthMax = 8;

/** Folders of a content root that hold rules; others, such as `ocs`, are delivered but not loaded. */
const ruleTypes = ['external', 'internal'] as const;
type RuleType = (typeof ruleTypes)[number];

export interface RuleStatus {
  readonly type: RuleType;
  readonly loaded: boolean;
  /** Empty when loaded. */
  readonly error: string;
}

interface LoadedContent {
  readonly directory: RuleContentDirectory;
  /** Every rule folder found, by its name. */
  readonly status: Readonly<Record<string, RuleStatus>>;
}

/** Rejects with code `CONTENT_UNREADABLE` when the root or its `config.yaml` cannot be read. */
export async function loadContent(root: string): Promise<LoadedContent> {
  const config = await readGlobalConfig(root);
  const rules: Record<string, RuleContent> = {};
  const status: Record<string, RuleStatus> = {};
  for (const type of ruleTypes) {
    for (const folder of await findRuleFolders(join(root, type), 0)) {
      try {
        // Rules are told apart by the name of their folder alone, so a later one of the same name replaces the earlier one.
        rules[folder.name] = await readRule(folder.path, config);
        status[folder.name] = { type, loaded: true, error: '' };
      } catch (error) {
        delete rules[folder.name];
        status[folder.name] = { type, loaded: false, error: errorText(error) };
      }
    }
  }
  return { directory: { config, rules }, status };
}

type GlobalConfig = RuleContentDirectory['config'];

async function readGlobalConfig(root: string): Promise<GlobalConfig> {
  const path = join(root, 'config.yaml');
  try {
    const document = toObject(parseYaml(await readFile(path, 'utf8')), 'config.yaml');
    return { impact: numbersOf(document['impact']), resolution_risk: numbersOf(document['resolution_risk']) };
  } catch (cause) {
    throw new CcxError(`rule content cannot be read: ${path}`, {
      code: 'CONTENT_UNREADABLE',
      category: 'configuration',
      cause,
      hint: 'the content path must name a folder that holds config.yaml and the folders external and internal',
    });
  }
}

/** Name → number. A null key, which the reference's table has, becomes the empty name. */
function numbersOf(value: unknown): Record<string, number> {
  if (!isJsonObject(value)) return {};
  return Object.fromEntries(
    Object.entries(value).filter((entry): entry is [string, number] => typeof entry[1] === 'number'),
  );
}

interface RuleFolder {
  readonly name: string;
  readonly path: string;
}

/** Folders at any depth that hold `plugin.yaml`, in order of path. What lies below such a folder belongs to it. */
async function findRuleFolders(path: string, depth: number): Promise<RuleFolder[]> {
  const found: RuleFolder[] = [];
  for (const name of await foldersIn(path).catch(() => [])) {
    const below = join(path, name);
    const names = await readdir(below);
    if (names.includes('plugin.yaml')) found.push({ name, path: below });
    else if (depth < contentDepthMax) found.push(...(await findRuleFolders(below, depth + 1)));
  }
  return found;
}

/** Names of the folders directly in a folder, in order. */
async function foldersIn(path: string): Promise<string[]> {
  const entries = await readdir(path, { withFileTypes: true });
  return entries.flatMap((entry) => (entry.isDirectory() ? [entry.name] : [])).sort();
}

async function readRule(path: string, config: GlobalConfig): Promise<RuleContent> {
  const plugin = toObject(parseYaml(await readFile(join(path, 'plugin.yaml'), 'utf8')), 'plugin.yaml');
  const texts = await readTexts(path);
  const errorKeys: [string, ErrorKeyContent][] = [];
  for (const name of await foldersIn(path)) errorKeys.push([name, await readErrorKey(join(path, name), texts, config)]);
  return {
    plugin: {
      name: textOf(plugin, 'name'),
      node_id: textOf(plugin, 'node_id'),
      product_code: textOf(plugin, 'product_code'),
      python_module: textOf(plugin, 'python_module'),
    },
    error_keys: Object.fromEntries(errorKeys),
    ...texts,
    // Always true in the reference, whatever the texts say; readers of its content have never seen it otherwise.
    HasReason: true,
  };
}

async function readErrorKey(path: string, ruleTexts: Texts, config: GlobalConfig): Promise<ErrorKeyContent> {
  const source = await readOptional(join(path, 'metadata.yaml'));
  if (source === undefined) throw new Error('Missing required file: metadata.yaml');
  const metadata = toObject(parseYaml(source), 'metadata.yaml');
  const own = await readTexts(path);
  const texts = Object.fromEntries(
    textNames.map((name) => [name, own[name] === '' ? ruleTexts[name] : own[name]]),
  ) as unknown as Texts;
  if (texts.generic === '' || texts.reason === '') {
    throw new Error('some of the error keys are missing mandatory attributes');
  }
  const impactName = textOf(metadata, 'impact');
  const tags = metadata['tags'] ?? [];
  if (!Array.isArray(tags)) throw new Error('metadata.yaml: tags must be a list');
  return {
    metadata: {
      description: textOf(metadata, 'description'),
      impact: { name: impactName, impact: numberNamed(config.impact, impactName) },
      likelihood: wholeNumberOf(metadata, 'likelihood'),
      publish_date: textOf(metadata, 'publish_date'),
      resolution_risk: numberNamed(config.resolution_risk, textOf(metadata, 'resolution_risk')),
      status: textOf(metadata, 'status'),
      tags: tags.map(String),
    },
    total_risk: 0,
    ...texts,
    HasReason: true,
  };
}

const textNames = ['generic', 'summary', 'resolution', 'more_info', 'reason'] as const;
type Texts = Readonly<Record<(typeof textNames)[number], string>>;

/** An absent file is an empty text. */
async function readTexts(path: string): Promise<Texts> {
  const texts: Record<string, string> = {};
  for (const name of textNames) texts[name] = (await readOptional(join(path, `${name}.md`))) ?? '';
  return texts as Texts;
}

async function readOptional(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** An unknown name counts as zero. */
function numberNamed(table: Readonly<Record<string, number>>, name: string): number {
  return Object.hasOwn(table, name) ? (table[name] ?? 0) : 0;
}

function toObject(value: unknown, file: string): JsonObject {
  if (!isJsonObject(value)) throw new Error(`${file} does not hold a mapping`);
  return value;
}

/** Absent and null are empty. */
function textOf(document: JsonObject, name: string): string {
  const value = document[name] ?? '';
  if (typeof value === 'object') throw new Error(`${name} must be a text`);
  return String(value);
}

function wholeNumberOf(document: JsonObject, name: string): number {
  const value = document[name] ?? 0;
  if (!Number.isInteger(value)) throw new Error(`${name} must be a whole number`);
  return value as number;
}
