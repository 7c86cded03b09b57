/**
 * A content folder → what users read about each rule. Called by the content service, by the notification service, and by the catalog's
 * tests. A rule that is not well formed is left out; every fault is listed with its file and line; only a folder that cannot be read at
 * all is an error. Source: data-pipeline.md 8.1, 8.3.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type ErrorKeyContent,
  type RuleContent,
  type RuleContentDirectory,
  ruleNameOfComponent,
} from '../../contracts/rule-content.ts';
import { CcxError, errorText } from '../../encoding/ccx-error.ts';
import { checkTemplate } from './check-template.ts';
import { type ContentFault, faultText, type ReportFault, YamlMapping } from './content-faults.ts';

/** What the reference's status says of a rule, and nothing beside it: its published tests allow no other text. */
const missingAttributes = 'some of the error keys are missing mandatory attributes';

/** Folders between a rule type and a rule; the hosted content has two or three. A loop of links would otherwise never end. */
export const contentDepthMax = 8;

/** Folders of a content root that hold rules. */
const ruleTypes = ['external', 'internal'] as const;
type RuleType = (typeof ruleTypes)[number];

export interface RuleStatus {
  readonly type: RuleType;
  readonly loaded: boolean;
  /** Empty when loaded; else why it is not: the faults with file and line, or the reference's words. */
  readonly error: string;
}

interface LoadedContent {
  readonly directory: RuleContentDirectory;
  /** Every rule folder found, by its name. */
  readonly status: Readonly<Record<string, RuleStatus>>;
  /** Everything that is wrong, in the order in which it was met. */
  readonly faults: readonly ContentFault[];
}

/** Rejects with code `CONTENT_UNREADABLE` when the root or its `config.yaml` cannot be read. */
export async function loadContent(root: string): Promise<LoadedContent> {
  const faults: ContentFault[] = [];
  const report: ReportFault = (fault) => void faults.push(fault);
  const config = await readGlobalConfig(root, report);
  const rules: Record<string, RuleContent> = {};
  const status: Record<string, RuleStatus> = {};
  await reportMisplaced(root, report);
  for (const type of ruleTypes) {
    for (const { name, path } of await findRuleFolders(root, type, 0, report)) {
      if (Object.hasOwn(status, name)) {
        // Rules are told apart by the name of their folder alone, so a later one replaces the earlier one.
        report({
          file: path,
          line: undefined,
          message: `replaces another rule folder named ${name}`,
          leavesOut: false,
        });
      }
      const before = faults.length;
      const rule = await readRule({ root, path, config, report }, { name, type });
      const fatal = faults.slice(before).filter((fault) => fault.leavesOut);
      const loaded = rule !== undefined && fatal.length === 0;
      delete rules[name];
      if (loaded) rules[name] = rule;
      const isIncomplete = fatal.some(({ message }) => message.startsWith(missingAttributes));
      const error = isIncomplete ? missingAttributes : fatal.map(faultText).join('; ');
      status[name] = { type, loaded, error };
    }
  }
  return { directory: { config, rules }, status, faults };
}

type GlobalConfig = RuleContentDirectory['config'];

async function readGlobalConfig(root: string, report: ReportFault): Promise<GlobalConfig> {
  const file = 'config.yaml';
  try {
    const text = await readFile(join(root, file), 'utf8');
    let fatal: ContentFault | undefined;
    const tables = YamlMapping.parse(file, text, (fault) => {
      if (fault.leavesOut) fatal = fault;
      else report(fault);
    });
    if (tables === undefined) throw new Error(fatal === undefined ? 'it is empty' : faultText(fatal));
    return { impact: tables.numbers('impact'), resolution_risk: tables.numbers('resolution_risk') };
  } catch (cause) {
    throw new CcxError(`rule content cannot be read: ${join(root, file)}`, {
      code: 'CONTENT_UNREADABLE',
      category: 'configuration',
      cause,
      hint: 'the content path must name a folder that holds config.yaml and the folders external and internal',
    });
  }
}

/** A rule that lies beside the folders of rules, where nobody looks. */
async function reportMisplaced(root: string, report: ReportFault): Promise<void> {
  for (const name of await foldersIn(root)) {
    if ((ruleTypes as readonly string[]).includes(name)) continue;
    if (!(await readdir(join(root, name)).catch((): string[] => [])).includes('plugin.yaml')) continue;
    const message = 'a rule must lie below external or internal; it is not loaded';
    report({ file: join(name, 'plugin.yaml'), line: undefined, message, leavesOut: true });
  }
}

interface RuleFolder {
  readonly name: string;
  /** Below the root. */
  readonly path: string;
}

/** Folders at any depth that hold `plugin.yaml`, in order of path. What lies below such a folder belongs to it. */
async function findRuleFolders(root: string, path: string, depth: number, report: ReportFault): Promise<RuleFolder[]> {
  const unreadable = (file: string, message: string) => report({ file, line: undefined, message, leavesOut: true });
  const found: RuleFolder[] = [];
  let names: string[];
  try {
    names = await foldersIn(join(root, path));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') unreadable(path, `cannot be read: ${errorText(error)}`);
    return found;
  }
  for (const name of names) {
    const below = join(path, name);
    const entries = await readdir(join(root, below)).catch((error: unknown): string[] => {
      unreadable(below, `cannot be read: ${errorText(error)}`);
      return [];
    });
    if (entries.includes('plugin.yaml')) found.push({ name, path: below });
    else if (depth < contentDepthMax) found.push(...(await findRuleFolders(root, below, depth + 1, report)));
    else if (entries.length > 0) unreadable(below, `lies deeper than ${contentDepthMax} folders and is not read`);
  }
  return found;
}

/** Names of the folders directly in a folder, in order. */
async function foldersIn(path: string): Promise<string[]> {
  const entries = await readdir(path, { withFileTypes: true });
  return entries.flatMap((entry) => (entry.isDirectory() ? [entry.name] : [])).sort();
}

/** A folder of a rule or of one of its error keys, and where what is wrong with it goes. */
interface Reading {
  readonly root: string;
  /** Below the root. */
  readonly path: string;
  readonly config: GlobalConfig;
  readonly report: ReportFault;
}

/** Undefined where `plugin.yaml` cannot be understood; other faults are reported, and the caller looks whether some leave the rule out. */
async function readRule(
  reading: Reading,
  { name, type }: { readonly name: string; readonly type: RuleType },
): Promise<RuleContent | undefined> {
  const { root, path, report } = reading;
  const file = join(path, 'plugin.yaml');
  const source = await readOptional(root, file, report);
  const plugin = source === undefined ? undefined : YamlMapping.parse(file, source, report);
  const texts = await readTexts(reading);
  const errorKeys: [string, ErrorKeyContent][] = [];
  for (const key of await foldersIn(join(root, path))) {
    const content = await readErrorKey({ ...reading, path: join(path, key) }, texts, type);
    if (content !== undefined) errorKeys.push([key, content]);
  }
  if (plugin === undefined) return undefined;
  const module = plugin.text('python_module');
  if (module !== '' && ruleNameOfComponent(module) !== name) {
    plugin.fault(['python_module'], `${module} is looked for in a folder named ${ruleNameOfComponent(module)}`, false);
  }
  return {
    plugin: {
      name: plugin.text('name'),
      node_id: plugin.text('node_id'),
      product_code: plugin.text('product_code'),
      python_module: module,
    },
    error_keys: Object.fromEntries(errorKeys),
    ...texts,
    // Always true in the reference, whatever the texts say; readers of its content have never seen it otherwise.
    HasReason: true,
  };
}

async function readErrorKey(reading: Reading, ruleTexts: Texts, type: RuleType): Promise<ErrorKeyContent | undefined> {
  const { root, path, config, report } = reading;
  const file = join(path, 'metadata.yaml');
  const own = await readTexts(reading);
  const texts = Object.fromEntries(
    textNames.map((name) => [name, own[name] === '' ? ruleTexts[name] : own[name]]),
  ) as unknown as Texts;
  for (const name of ['generic', 'reason'] as const) {
    if (texts[name] !== '') continue;
    const message = `${missingAttributes}: neither here nor in the rule's folder`;
    report({ file: join(path, `${name}.md`), line: undefined, message, leavesOut: true });
  }
  if (texts.resolution === '' && type === 'external') {
    const message = 'a rule for owners should say how it is resolved, here or in the folder of the rule';
    report({ file: join(path, 'resolution.md'), line: undefined, message, leavesOut: false });
  }
  const source = await readOptional(root, file, report);
  if (source === undefined) {
    report({ file, line: undefined, message: 'Missing required file: metadata.yaml', leavesOut: true });
    return undefined;
  }
  const metadata = YamlMapping.parse(file, source, report);
  if (metadata === undefined) return undefined;
  const description = metadata.text('description');
  const wrong = checkTemplate(description);
  if (wrong !== undefined) metadata.fault(['description'], wrong.message, false);
  const impact = metadata.text('impact');
  return {
    metadata: {
      description,
      impact: { name: impact, impact: numberNamed(config, 'impact', impact, metadata) },
      likelihood: metadata.wholeNumber('likelihood'),
      publish_date: metadata.text('publish_date'),
      resolution_risk: numberNamed(config, 'resolution_risk', metadata.text('resolution_risk'), metadata),
      status: metadata.text('status'),
      tags: metadata.texts('tags'),
    },
    total_risk: 0,
    ...texts,
    HasReason: true,
  };
}

const textNames = ['generic', 'summary', 'resolution', 'more_info', 'reason'] as const;
/** Texts that are shown as they are. */
const plainTexts: readonly string[] = ['generic', 'summary'];
type Texts = Readonly<Record<(typeof textNames)[number], string>>;

/** An absent file is an empty text. */
async function readTexts({ root, path, report }: Reading): Promise<Texts> {
  const texts: Record<string, string> = {};
  for (const name of textNames) {
    const file = join(path, `${name}.md`);
    const text = (await readOptional(root, file, report)) ?? '';
    texts[name] = text;
    const wrong = plainTexts.includes(name) ? findTemplateCode(text) : checkTemplate(text);
    if (wrong !== undefined) report({ file, ...wrong, leavesOut: false });
  }
  return texts as Texts;
}

function findTemplateCode(text: string): { readonly line: number; readonly message: string } | undefined {
  const at = text.search(/\{\{[=!?~]/);
  if (at < 0) return undefined;
  return { line: text.slice(0, at).split('\n').length, message: 'no template is filled in here: it is shown as it is' };
}

/** Undefined where it is not there, and where it cannot be read, which is a fault. */
async function readOptional(root: string, file: string, report: ReportFault): Promise<string | undefined> {
  try {
    return await readFile(join(root, file), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') {
      report({ file, line: undefined, message: `cannot be read: ${errorText(error)}`, leavesOut: true });
    }
    return undefined;
  }
}

/** An unknown name counts as zero; of nothing at all the table need not know. */
function numberNamed(config: GlobalConfig, table: keyof GlobalConfig, name: string, metadata: YamlMapping): number {
  if (Object.hasOwn(config[table], name)) return config[table][name] ?? 0;
  if (name !== '')
    metadata.fault([table], `${table}: config.yaml knows no ${JSON.stringify(name)}; it counts as 0`, false);
  return 0;
}
