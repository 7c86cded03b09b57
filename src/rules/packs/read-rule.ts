/** One file of a pack's `rules/` → a rule as data, or every fault in it. Reads no file and evaluates nothing. */
import { PACK_MODULE_PREFIX } from '../../contracts/rule-content.ts';
import { reservedNames } from './cel-functions.ts';
import { canBeVariable, compileExpression, type ExpressionFault, environmentOf } from './compile-expression.ts';
import { compileText } from './compile-text.ts';
import { patternFault } from './input-pattern.ts';
import { type LoadedPackRule, nearest, type PackInput, type PackRuleTexts, type PackSample } from './pack.ts';
import type { YamlFile, YamlMember, YamlNode, YamlText } from './yaml-file.ts';

const required = ['key', 'title', 'impact', 'likelihood', 'inputs', 'when', 'reason'] as const;
const known = [
  ...['key', 'title', 'summary', 'generic', 'impact', 'likelihood', 'publish_date', 'tags'],
  ...['inputs', 'when', 'details', 'reason', 'resolution', 'more_info', 'samples'],
];

const keyPattern = /^[A-Z][A-Z0-9_]{2,99}$/;
const namePattern = /^[a-z_][A-Za-z0-9_]{0,39}$/;
const tagPattern = /^[a-z0-9][a-z0-9_-]{0,49}$/;
const datePattern = /^\d{4}-\d\d-\d\d(?: \d\d:\d\d:\d\d)?$/;
const titleCharactersMax = 200;
const tagsMax = 20;
const inputsMax = 20;
const detailsMax = 40;
/** What `pydata` holds beside the details: what the engine adds. */
const addedDetails: readonly string[] = ['type', 'error_key', 'max_detail_length_error'];
const noPublishDate = '1970-01-01 00:00:00';

interface RuleContext {
  /** Undefined where the pack's own file has no usable name. */
  readonly pack: string | undefined;
  /** Names of impacts that the content knows. */
  readonly impacts: readonly string[];
}

/** Undefined where the file holds too little to be a rule; whether it may be used, the file's faults say. */
export function readRule(file: YamlFile, context: RuleContext): LoadedPackRule | undefined {
  const members = file.knownMembers(file.root, 'a rule', known);
  if (members === undefined) return undefined;
  const reader = new RuleReader(file, members);
  for (const name of required) {
    if (!members.has(name))
      file.fault(file.offsetOf(file.root), `the rule has no "${name}"`, `Write ${requiredExamples[name]}`);
  }
  const key = reader.matching('key', keyPattern, 'Write capitals, digits and underscores, such as BACKUP_TOO_OLD');
  const inputs = reader.inputs();
  const { when, details } = reader.expressions(inputs);
  const texts = reader.texts(Object.keys(details), context.impacts);
  const samples = reader.samples();
  const tags = reader.tags();
  if (key === undefined) return undefined;
  const module = `${PACK_MODULE_PREFIX}.${context.pack ?? 'unnamed'}.${key}`;
  const place = file.place(file.offsetOf(members.get('key')!.value));
  return { rule: { module, key, inputs, when, details, tags }, texts, samples, place };
}

const requiredExamples: Readonly<Record<(typeof required)[number], string>> = {
  key: 'a name in capitals, such as "key: BACKUP_TOO_OLD"',
  title: 'in a sentence what is wrong, such as "title: The last backup is too old"',
  impact: 'a name such as "impact: Data Loss"',
  likelihood: 'a number from 1 to 4, such as "likelihood: 3"',
  inputs: 'which files it needs, such as "inputs: { version: config/version.json }"',
  when: 'a condition in CEL, such as "when: version.status.history.size() > 100"',
  reason: 'what the owners read, such as "reason: Node {{=pydata.name}} is too old."',
};

class RuleReader {
  readonly #file: YamlFile;
  readonly #members: ReadonlyMap<string, YamlMember>;

  constructor(file: YamlFile, members: ReadonlyMap<string, YamlMember>) {
    this.#file = file;
    this.#members = members;
  }

  #value(name: string): YamlNode | undefined {
    const member = this.#members.get(name);
    return member === undefined ? undefined : member.value;
  }

  #at(node: YamlNode): number {
    return this.#file.offsetOf(node);
  }

  #text(name: string): YamlText | undefined {
    const node = this.#value(name);
    if (node === undefined) return undefined;
    if (node === null) {
      this.#file.fault(
        this.#members.get(name)!.offset,
        `"${name}" is empty`,
        'Write a text behind it, or leave it out',
      );
      return undefined;
    }
    return this.#file.text(node, `"${name}"`, 'Write a text, in quotes where it looks like a number');
  }

  matching(name: string, pattern: RegExp, remedy: string): string | undefined {
    const text = this.#text(name);
    if (text === undefined) return undefined;
    if (pattern.test(text.text)) return text.text;
    this.#file.fault(text.placeOf(0), `"${text.text.slice(0, 60)}" cannot be the ${name}`, remedy);
    return undefined;
  }

  inputs(): PackInput[] {
    const node = this.#value('inputs');
    const members = node === undefined ? undefined : this.#file.members(node, '"inputs"');
    const inputs: PackInput[] = [];
    for (const [written, { offset, value }] of members ?? []) {
      const optional = written.endsWith('?');
      const name = optional ? written.slice(0, -1) : written;
      if (!namePattern.test(name) || reservedNames.includes(name) || !canBeVariable(name)) {
        const problem = `"${name.slice(0, 60)}" cannot be the name of an input`;
        const taken = `words of CEL, and ${reservedNames.join(', ')}`;
        this.#file.fault(offset, problem, `Write another, such as "nodes"; taken are ${taken}`);
        continue;
      }
      if (inputs.some((input) => input.name === name)) {
        this.#file.fault(offset, `the input "${name}" stands here twice`, 'Leave one of them');
        continue;
      }
      const pattern = this.#file.text(value, `the path of "${name}"`, 'Write a path such as config/version.json');
      if (pattern === undefined) continue;
      const fault = patternFault(pattern.text);
      if (fault !== undefined) this.#file.fault(pattern.placeOf(0), fault.problem, fault.remedy);
      inputs.push({ name, pattern: pattern.text, optional });
    }
    if (members !== undefined && (members.size === 0 || members.size > inputsMax)) {
      this.#file.fault(this.#at(node!), `a rule has 1 to ${inputsMax} inputs`, `Write ${requiredExamples.inputs}`);
    }
    return inputs;
  }

  expressions(inputs: readonly PackInput[]): {
    readonly when: string;
    readonly details: Readonly<Record<string, string>>;
  } {
    const environment = environmentOf(inputs);
    const names = [...inputs.map(({ name }) => name), 'gathered_at'];
    const checked = (text: YamlText): string | undefined => {
      const compiled = compileExpression(text.text, environment, names);
      if (!('faults' in compiled)) return compiled.type;
      this.#add(text, compiled.faults);
      return undefined;
    };
    const when = this.#text('when');
    const type = when === undefined ? undefined : checked(when);
    if (type !== undefined && type !== 'bool' && type !== 'dyn') {
      this.#file.fault(
        when!.placeOf(0),
        `"when" is ${type} and no condition`,
        'Write what is true or false, such as size(list) > 0',
      );
    }
    const details: Record<string, string> = {};
    const node = this.#value('details');
    const members = node === undefined ? undefined : this.#file.members(node, '"details"');
    for (const [name, { offset, value }] of members ?? []) {
      if (!namePattern.test(name) || addedDetails.includes(name) || name === '__proto__') {
        this.#file.fault(
          offset,
          `"${name.slice(0, 60)}" cannot be the name of a detail`,
          'Write another, such as "names"',
        );
        continue;
      }
      const text = this.#file.text(value, `the detail "${name}"`, 'Write CEL: numbers and lists, too, in quotes');
      if (text === undefined) continue;
      details[name] = text.text;
      checked(text);
    }
    if ((members?.size ?? 0) > detailsMax) {
      this.#file.fault(this.#at(node!), `a rule has at most ${detailsMax} details`, 'Put some into a map or a list');
    }
    return { when: when?.text ?? 'false', details };
  }

  #add(text: YamlText, faults: readonly ExpressionFault[]): void {
    for (const { index, problem, remedy } of faults) this.#file.fault(text.placeOf(index), problem, remedy);
  }

  texts(details: readonly string[], impacts: readonly string[]): PackRuleTexts {
    const names = [...details, ...addedDetails];
    const template = (name: string): string => {
      const text = this.#text(name);
      if (text === undefined) return '';
      const compiled = compileText(text.text, names);
      this.#add(text, compiled.faults);
      return compiled.template;
    };
    const plain = (name: string): string => this.#text(name)?.text ?? '';
    const title = this.#title();
    const summary = plain('summary');
    return {
      title,
      summary,
      generic: plain('generic') || summary || title,
      reason: template('reason'),
      resolution: template('resolution'),
      more_info: template('more_info'),
      impact: this.#impact(impacts),
      likelihood: this.#likelihood(),
      publishDate: this.#publishDate(),
    };
  }

  /** Lists show it as it is, whatever the rule found. */
  #title(): string {
    const title = this.#text('title');
    if (title === undefined) return '';
    const [problem] = [
      title.text.includes('{{') ? 'nothing is filled into a title' : undefined,
      title.text.trim().includes('\n') ? 'a title has one line' : undefined,
      title.text.length > titleCharactersMax ? `a title has at most ${titleCharactersMax} characters` : undefined,
    ].filter((fault) => fault !== undefined);
    const index = Math.max(title.text.indexOf('{{'), 0);
    if (problem !== undefined)
      this.#file.fault(title.placeOf(index), problem, 'Say in one sentence what is wrong; reason tells the rest');
    return title.text.trim();
  }

  #impact(impacts: readonly string[]): string {
    const text = this.#text('impact');
    if (text === undefined || impacts.includes(text.text)) return text?.text ?? '';
    const near = nearest(text.text, impacts);
    const remedy =
      near === undefined ? `Write one of ${impacts.filter((name) => name !== '').join(', ')}` : `Write "${near}"`;
    this.#file.fault(text.placeOf(0), `there is no impact "${text.text.slice(0, 60)}"`, remedy);
    return '';
  }

  #likelihood(): number {
    const node = this.#value('likelihood');
    if (node === undefined) return 1;
    const likelihood = this.#file.number(node);
    if (likelihood !== undefined && [1, 2, 3, 4].includes(likelihood)) return likelihood;
    this.#file.fault(this.#at(node), 'this is no likelihood', 'Write a whole number from 1 (low) to 4 (critical)');
    return 1;
  }

  #publishDate(): string {
    const remedy = "Write it as '2026-01-31', in quotes";
    const text = this.matching('publish_date', datePattern, remedy) ?? noPublishDate;
    const whole = text.length > 10 ? text : `${text} 00:00:00`;
    const iso = `${whole.replace(' ', 'T')}.000Z`;
    const date = new Date(iso);
    if (!Number.isNaN(date.getTime()) && date.toISOString() === iso) return whole;
    this.#file.fault(this.#at(this.#value('publish_date')!), `there is no such day or time as ${text}`, remedy);
    return noPublishDate;
  }

  tags(): string[] {
    const node = this.#value('tags');
    if (node === undefined) return [];
    const remedy = 'Write a list of lower case words, such as [openshift, service_availability]';
    const items = this.#file.items(node);
    if (items === undefined || items.length > tagsMax) {
      this.#file.fault(
        this.#at(node),
        items === undefined ? '"tags" is no list' : `a rule has at most ${tagsMax} tags`,
        remedy,
      );
      return [];
    }
    return items.flatMap((item) => {
      const tag = this.#file.text(item, 'a tag', remedy);
      if (tag === undefined || tagPattern.test(tag.text)) return tag === undefined ? [] : [tag.text];
      this.#file.fault(tag.placeOf(0), `"${tag.text.slice(0, 60)}" cannot be a tag`, remedy);
      return [];
    });
  }

  /** `fires` and `silent` are one sample each, as a mapping of files, or a list of such. */
  samples(): PackSample[] {
    const node = this.#value('samples');
    if (node === undefined) return [];
    const members = this.#file.knownMembers(node, '"samples"', ['fires', 'silent']);
    return ['fires', 'silent'].flatMap((title) => {
      const member = members?.get(title);
      if (member === undefined) return [];
      const list = this.#file.items(member.value);
      const nodes = list ?? [member.value];
      return nodes.flatMap((sample, number) => {
        const name = list === undefined ? title : `${title} ${number + 1}`;
        const files = this.#file.members(sample, `the sample "${name}"`);
        if (files === undefined) return [];
        const entries = [...files].map(([path, { value }]) => [path, this.#file.json(value)] as const);
        const place = this.#file.place(this.#at(sample) || member.offset);
        return [{ title: name, fires: title === 'fires', files: Object.fromEntries(entries), place }];
      });
    });
  }
}
