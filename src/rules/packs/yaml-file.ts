/**
 * A YAML file of a pack, read so that every fault has its line and column. Values are looked at node by node, never as one JavaScript
 * value: a member may be called `__proto__`, and what aliases stand for is counted as it is looked at, so that a file of a few lines cannot
 * become a value of gigabytes.
 */
import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, type Pair, parseDocument, type Scalar } from 'yaml';
import type { JsonObject, JsonValue } from '../../encoding/json-text.ts';
import { nearest, type PackFault, type PackPlace, packLimits } from './pack.ts';

export type YamlNode = Node | null;

/** A member of a mapping, and where its name stands. */
export interface YamlMember {
  readonly offset: number;
  readonly value: YamlNode;
}

/** A text as its reader sees it, and where in the file each of its characters stands. */
export interface YamlText {
  readonly text: string;
  placeOf(index: number): PackPlace;
}

/** Escapes of a double-quoted text that stand for one character and are longer than two. */
const longEscapes: Readonly<Record<string, number>> = { x: 4, u: 6, U: 10 };

/** What no text of a rule holds: databases refuse some, terminals obey others. */
const controlCharacter = /[\0-\x08\x0b\x0c\x0e-\x1f\x7f]/;
const tooDeepRemedy = `Write at most ${packLimits.nestingMax} levels`;
/** Of one file: who reads that many mends some first. */
const faultsMax = 50;
const messageCharactersMax = 200;

export class YamlFile {
  /** As faults name it. */
  readonly name: string;
  readonly faults: PackFault[] = [];
  /** Null for an empty file; faults say so of a broken one. */
  readonly root: YamlNode;
  readonly #source: string;
  readonly #lines = new LineCounter();
  readonly #document: ReturnType<typeof parseDocument> | undefined;
  #aliases = 0;

  constructor(name: string, source: string) {
    this.name = name;
    this.#source = source;
    const tooDeep = tooDeepAt(source);
    if (tooDeep !== undefined) {
      for (let at = source.indexOf('\n'); at !== -1; at = source.indexOf('\n', at + 1)) this.#lines.addNewLine(at + 1);
      this.#lines.lineStarts.unshift(0);
      this.fault(tooDeep, 'brackets stand too deep within each other', tooDeepRemedy);
      this.root = null;
      return;
    }
    // The library compares every member with every other one, which takes it a quarter of a minute for a file of many.
    this.#document = parseDocument(source, { lineCounter: this.#lines, prettyErrors: false, uniqueKeys: false });
    const { errors, warnings } = this.#document;
    for (const { code, pos, message } of [...errors, ...warnings]) this.#yamlFault(code, pos[0], message);
    this.root = this.#document.contents as YamlNode;
    const control = controlCharacter.exec(source);
    if (control !== null) this.#controlFault(this.place(control.index));
    this.#checkNodes();
  }

  /** What a parser does not mind: members that stand there twice, aliases of nothing. */
  #checkNodes(): void {
    const anchors = new Set<string>();
    const waiting: YamlNode[] = [this.root];
    while (waiting.length > 0) {
      const node = waiting.pop() ?? null;
      if (isAlias(node)) {
        if (anchors.has(node.source)) continue;
        const problem = `nothing before this is called "&${node.source.slice(0, 60)}"`;
        this.fault(
          this.offsetOf(node),
          problem,
          'Write the value itself; a text that begins with "*" goes into quotes',
        );
        continue;
      }
      if (node?.anchor !== undefined) anchors.add(node.anchor);
      if (isSeq(node)) for (const item of node.items.toReversed()) waiting.push(item as YamlNode);
      if (!isMap(node)) continue;
      const names = new Set<string>();
      for (const { key } of node.items) {
        if (!isScalar(key)) continue;
        const name = String(key.value);
        if (names.has(name)) this.fault(this.offsetOf(key), 'this member stands here twice', 'Leave one of them');
        names.add(name);
      }
      for (const { key, value } of node.items.toReversed()) waiting.push(value as YamlNode, key as YamlNode);
    }
  }

  #controlFault(place: PackPlace): void {
    this.fault(place, 'a control character stands here', 'Leave it out: texts have letters, tabs and line ends only');
  }

  #yamlFault(code: string, offset: number, message: string): void {
    if (code === 'TAG_RESOLVE_FAILED') {
      const remedy = 'Leave it out; a text that begins with "!" goes into quotes';
      this.fault(offset, 'packs know no kinds of values beyond those of JSON', remedy);
      return;
    }
    if (/call stack/i.test(message)) {
      this.fault(offset, 'values stand too deep within each other', tooDeepRemedy);
      return;
    }
    const text = message.slice(0, messageCharactersMax).replace(/[.\s]+$/, '');
    const isColon = /Nested mappings|Implicit map keys|compact mappings/i.test(text);
    const remedy = isColon
      ? 'Put a text that holds a colon and a blank below "|" on a line of its own, or into quotes'
      : 'Write YAML; a text with special characters goes into quotes, or below "|" on lines of its own';
    this.fault(offset, `this is no YAML: ${text}`, remedy);
  }

  place(offset: number): PackPlace {
    const { line, col } = this.#lines.linePos(offset);
    return { file: this.name, line: Math.max(line, 1), column: Math.max(col, 1) };
  }

  fault(at: number | PackPlace, problem: string, remedy: string): void {
    if (this.faults.length > faultsMax) return;
    const place = typeof at === 'number' ? this.place(at) : at;
    const isLast = this.faults.length === faultsMax;
    this.faults.push(
      isLast
        ? { ...place, problem: 'there are more faults', remedy: 'Mend those before' }
        : { ...place, problem, remedy },
    );
  }

  offsetOf(node: YamlNode): number {
    return node?.range?.[0] ?? 0;
  }

  /** What an alias stands for; after too many of them null, with a fault. */
  resolved(node: YamlNode): YamlNode {
    if (!isAlias(node)) return node;
    this.#aliases += 1;
    if (this.#aliases > packLimits.aliasesMax) {
      if (this.#aliases === packLimits.aliasesMax + 1) {
        const problem = `more than ${packLimits.aliasesMax} aliases are expanded in this file`;
        this.fault(this.offsetOf(node), problem, 'Write the values themselves');
      }
      return null;
    }
    return this.#document === undefined ? null : (node.resolve(this.#document) ?? null);
  }

  get #aliasesLeft(): boolean {
    return this.#aliases <= packLimits.aliasesMax;
  }

  /** The members of a mapping in order, by name; undefined with a fault for anything else. */
  members(node: YamlNode, what: string): Map<string, YamlMember> | undefined {
    const map = this.resolved(node);
    if (!isMap(map)) {
      if (this.#aliasesLeft) this.fault(this.offsetOf(node), `${what} is no mapping`, 'Write members as "name: value"');
      return undefined;
    }
    const members = new Map<string, YamlMember>();
    for (const pair of map.items as readonly Pair<Node, Node | null>[]) {
      const { key } = pair;
      if (!isScalar(key) || typeof key.value === 'object') {
        this.fault(this.offsetOf(key), 'the name of a member is no text', 'Write "name: value"');
        continue;
      }
      members.set(String(key.value), { offset: this.offsetOf(key), value: pair.value ?? null });
    }
    return members;
  }

  /** As `members`, with a fault for each that is not among those known. */
  knownMembers(node: YamlNode, what: string, known: readonly string[]): Map<string, YamlMember> | undefined {
    const members = this.members(node, what);
    for (const [name, { offset }] of members ?? []) {
      if (known.includes(name)) continue;
      const near = nearest(name, known);
      const remedy = near === undefined ? `Known are ${known.join(', ')}` : `Write "${near}"`;
      this.fault(offset, `${what} has no member "${name.slice(0, 60)}"`, remedy);
    }
    return members;
  }

  /** The text of a scalar; numbers and booleans are none. */
  text(node: YamlNode, what: string, remedy: string): YamlText | undefined {
    const scalar = this.resolved(node);
    if (isScalar(scalar) && typeof scalar.value === 'string' && scalar.value.trim() !== '') {
      const placeOf = (index: number) => this.place(this.#offsetIn(scalar as Scalar<string>, index));
      const control = controlCharacter.exec(scalar.value);
      if (control !== null) this.#controlFault(placeOf(control.index));
      return { text: scalar.value, placeOf };
    }
    if (this.#aliasesLeft) this.fault(this.offsetOf(node), `${what} is no text`, remedy);
    return undefined;
  }

  number(node: YamlNode): number | undefined {
    const scalar = this.resolved(node);
    return isScalar(scalar) && typeof scalar.value === 'number' ? scalar.value : undefined;
  }

  /** The items of a list; undefined for what is none. */
  items(node: YamlNode): readonly YamlNode[] | undefined {
    const list = this.resolved(node);
    return isSeq(list) ? (list.items as readonly YamlNode[]) : undefined;
  }

  /** Anything, as the JSON of a sample's file. Members called `__proto__` are own members like any other. */
  json(node: YamlNode, depth = 0): JsonValue {
    const value = this.resolved(node);
    if (depth > packLimits.nestingMax) {
      this.fault(this.offsetOf(node), 'values stand too deep within each other', tooDeepRemedy);
      return null;
    }
    if (isSeq(value)) return (value.items as readonly YamlNode[]).map((item) => this.json(item, depth + 1));
    if (isMap(value)) {
      const members = [...(this.members(value, 'this') ?? [])];
      return Object.fromEntries(
        members.map(([name, { value: member }]) => [name, this.json(member, depth + 1)]),
      ) as JsonObject;
    }
    if (!isScalar(value)) return null;
    const plain: unknown = value.value;
    if (typeof plain === 'bigint') return Number(plain);
    return typeof plain === 'string' || typeof plain === 'number' || typeof plain === 'boolean' ? plain : null;
  }

  /** Where in the file the character of a scalar's text stands: both are walked side by side, as folding and escapes make them differ. */
  #offsetIn(scalar: Scalar<string>, index: number): number {
    const [start, end] = scalar.range ?? [0, 0];
    const source = this.#source;
    const { value, type } = scalar;
    let at = start;
    if (type === 'BLOCK_LITERAL' || type === 'BLOCK_FOLDED') at = source.indexOf('\n', start) + 1;
    else if (type === 'QUOTE_DOUBLE' || type === 'QUOTE_SINGLE') at = start + 1;
    for (let seen = 0; at < end; seen += 1) {
      // Indentation, and what folding made one blank or one line end of.
      if (source[at] !== value[seen]) {
        while (at < end && /\s/.test(source[at]!) && source[at] !== value[seen]) at += 1;
        if (/\s/.test(value[seen] ?? '') && !/\s/.test(source[at] ?? '')) at -= 1;
      }
      if (seen >= index) break;
      if (source[at] === '\\' && type === 'QUOTE_DOUBLE') at += longEscapes[source[at + 1] ?? ''] ?? 2;
      else if (source[at] === "'" && type === 'QUOTE_SINGLE') at += 2;
      else at += 1;
    }
    return Math.min(at, end);
  }
}

/**
 * Where brackets are open far beyond what any file may nest, before anything is parsed: the parser would take seconds for it. Brackets in
 * texts count, which is why so many are allowed.
 */
function tooDeepAt(source: string): number | undefined {
  let open = 0;
  for (let at = 0; at < source.length; at += 1) {
    const character = source[at];
    if (character === '[' || character === '{') open += 1;
    else if ((character === ']' || character === '}') && open > 0) open -= 1;
    if (open > bracketsOpenMax) return at;
  }
  return undefined;
}

const bracketsOpenMax = 4 * packLimits.nestingMax;
