/**
 * CEL text → function over the inputs of a rule. Used at the start, to find faults with their place, and in the rule runners. What it
 * answers with is plain JSON values, CEL's own kinds, or a thrown error; `toJson` makes the first of the second.
 */
import type { ASTNode, Environment } from '@marcbachmann/cel-js';
import { Duration, UnsignedInt } from '@marcbachmann/cel-js/evaluator';
import { isJsonObject, type JsonObject, type JsonValue } from '../../encoding/json-text.ts';
import { baseEnvironment, LINEAR_MATCHES, linearRegex } from './cel-functions.ts';
import { isListPattern } from './input-pattern.ts';
import { nearest, type PackInput, packLimits } from './pack.ts';

/** Throws what an evaluation throws; every variable has to be there. */
export type Expression = (variables: Readonly<Record<string, unknown>>) => unknown;

export interface ExpressionFault {
  /** Of the character in the expression that it begins at. */
  readonly index: number;
  readonly problem: string;
  readonly remedy: string;
}

interface Compiled {
  readonly run: Expression;
  /** As CEL calls it: `bool`, `dyn`, `list<string>`. */
  readonly type: string;
  readonly tree: ASTNode;
}

type CompileResult = Compiled | { readonly faults: readonly [ExpressionFault, ...ExpressionFault[]] };

/** Knows the inputs of a rule and `gathered_at`. */
export function environmentOf(inputs: readonly PackInput[]): Environment {
  const environment = baseEnvironment.clone();
  environment.registerVariable('gathered_at', 'google.protobuf.Timestamp');
  for (const { name, pattern } of inputs) environment.registerVariable(name, isListPattern(pattern) ? 'list' : 'dyn');
  return environment;
}

/** CEL has words of its own, and the library some more, that nothing else can be called: `in`, `namespace`, `__proto__`. */
export function canBeVariable(name: string): boolean {
  try {
    const { ast } = baseEnvironment.clone().registerVariable(name, 'dyn').parse(name);
    return ast.op === 'id' && ast.args === name;
  } catch {
    return false;
  }
}

export function compileExpression(text: string, environment: Environment, names: readonly string[]): CompileResult {
  if (text.length > packLimits.expressionCharactersMax) {
    const problem = `an expression has at most ${packLimits.expressionCharactersMax} characters`;
    return { faults: [{ index: 0, problem, remedy: 'Make two rules of it' }] };
  }
  try {
    const { text: linear, faults } = withLinearMatches(text, environment.parse(text).ast);
    if (faults[0] !== undefined) return { faults: [faults[0], ...faults.slice(1)] };
    const parsed = environment.parse(linear);
    // A comment may hold the word, and would be renamed instead.
    const missed = [...nodesOf(parsed.ast)].find((node) => node.op === 'rcall' && node.args[0] === 'matches');
    if (missed !== undefined) {
      const problem = 'a comment stands within this call of matches()';
      return { faults: [{ index: missed.range.start, problem, remedy: 'Leave the comment out' }] };
    }
    const { valid, type, error } = parsed.check();
    if (!valid) return { faults: [faultOf(error, names)] };
    return { run: (variables) => parsed(variables), type: type ?? 'dyn', tree: parsed.ast };
  } catch (error) {
    return { faults: [faultOf(error, names)] };
  }
}

/** Every node of an expression, itself first. */
export function* nodesOf(tree: ASTNode): Generator<ASTNode> {
  yield tree;
  for (const child of childrenOf(tree.args)) yield* nodesOf(child);
}

export function childrenOf(args: unknown): readonly ASTNode[] {
  if (Array.isArray(args)) return args.flatMap(childrenOf);
  const isNode = typeof args === 'object' && args !== null && 'op' in args && 'args' in args;
  return isNode ? [args as unknown as ASTNode] : [];
}

/** The library's own `matches` is JavaScript's, which may take for ever: each is renamed to ours, which is linear. */
function withLinearMatches(text: string, tree: ASTNode) {
  let linear = text;
  const faults: ExpressionFault[] = [];
  for (const node of nodesOf(tree)) {
    if (node.op === 'id' && node.args === LINEAR_MATCHES)
      faults.push(unknownName(node.range.start, LINEAR_MATCHES, []));
    if (node.op !== 'rcall') continue;
    const [name, receiver, [pattern]] = node.args;
    if (name === LINEAR_MATCHES) faults.push(unknownFunction(node.range.start, LINEAR_MATCHES));
    if (name !== 'matches') continue;
    const at = text.indexOf('matches', receiver.range.end);
    linear = `${linear.slice(0, at)}${LINEAR_MATCHES}${linear.slice(at + LINEAR_MATCHES.length)}`;
    if (pattern?.op !== 'value' || typeof pattern.args !== 'string') continue;
    try {
      linearRegex(pattern.args);
    } catch (error) {
      const remedy = 'Write one without look-around and back references, as RE2 has them';
      faults.push({ index: pattern.range.start, problem: (error as Error).message, remedy });
    }
  }
  return { text: linear, faults };
}

/** What the library throws, both while parsing and while evaluating. */
interface CelFailure {
  readonly code?: string;
  readonly summary?: string;
  readonly message?: string;
  readonly range?: { readonly start: number; readonly end: number };
}

function faultOf(error: unknown, names: readonly string[]): ExpressionFault {
  const { code, summary, message, range } = error as CelFailure;
  const index = range?.start ?? 0;
  const problem = readable(summary ?? message ?? String(error));
  if (code === 'unknown_variable') return unknownName(index, problem.replace(/^.*: /, ''), names);
  return { index, problem, remedy: remedies[code ?? ''] ?? 'Write CEL, as docs/rules.md shows it' };
}

function unknownName(index: number, name: string, names: readonly string[]): ExpressionFault {
  const near = nearest(name, names);
  const remedy =
    near === undefined ? `Known are ${names.join(', ')}; name other files of the archive in inputs` : `Write "${near}"`;
  return { index, problem: `nothing is called "${name}"`, remedy };
}

function unknownFunction(index: number, name: string): ExpressionFault {
  return { index, problem: `there is no function "${name}"`, remedy: remedies['no_matching_overload']! };
}

const remedies: Readonly<Record<string, string>> = {
  unexpected_character: 'Write CEL: == compares, && and || join, ! negates, and texts stand in quotes',
  no_such_overload: 'Let both sides be of one kind: int(), double() and string() turn one into the other',
  no_matching_overload: 'Use one of the functions and macros that docs/rules.md lists, with values of their kinds',
  incompatible_ternary_branches: 'Let both branches be of one kind, or put them into dyn()',
  invalid_condition_type: 'Write a condition that is true or false',
  invalid_macro_argument: 'Write has(value.member); whether a whole input is there says "input != null"',
  invalid_index_type: 'This is a list: write list.exists(x, …), list.filter(x, …) or list[0]',
};

function readable(text: string): string {
  return text.replaceAll(LINEAR_MATCHES, 'matches').replace(/[.\s]+$/, '');
}

/** One line of why an evaluation failed, with the part of the expression that did. */
export function evaluationFailure(error: unknown, text: string): string {
  const { summary, message, range } = error as CelFailure;
  const reason = readable(summary ?? message ?? String(error));
  const part = range === undefined ? '' : pathAt(text, range);
  const shown = part.length > shownCharactersMax ? `${part.slice(0, shownCharactersMax - 1)}…` : part;
  return shown === '' ? reason : `${reason} (in ${readable(shown)})`;
}

/** Of a member its place is only its name: what it is a member of belongs to it. */
function pathAt(text: string, { start, end }: { readonly start: number; readonly end: number }): string {
  const before = text[start - 1] === '.' ? (/[\w.[\]"]+$/.exec(text.slice(0, start))?.[0] ?? '') : '';
  return before + text.slice(start, end);
}

const shownCharactersMax = 120;

/** Of all details of a rule together; a report shows the length only of what has more than a hundredth of it. */
export const resultCharactersMax = 8 * 1024 ** 2;

/** Throws for what a report cannot hold. Times become RFC 3339, durations seconds, as Kubernetes writes them. */
export function toJson(value: unknown, depth = 0, room = { characters: resultCharactersMax }): JsonValue {
  // One text may stand in a list a thousand times and takes its place once only: not so in a report.
  room.characters -= typeof value === 'string' ? value.length : 1;
  if (room.characters < 0) throw new Error('a value is too large for a report');
  if (value === undefined) throw new Error('there is no value');
  if (depth > packLimits.nestingMax) throw new Error('a value nests too deep for a report');
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value;
  if (typeof value === 'bigint') return Number(value);
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw new Error('a report cannot hold a number that is infinite or none');
    return value;
  }
  if (value instanceof Date) return value.toISOString().replace('.000Z', 'Z');
  if (value instanceof Duration) return String(value);
  if (value instanceof UnsignedInt) return Number(value.valueOf());
  if (Array.isArray(value)) return value.map((item) => toJson(item, depth + 1, room));
  if (value instanceof Map) return membersToJson([...value], depth, room);
  if (isPlainObject(value)) return membersToJson(Object.entries(value), depth, room);
  throw new Error('a report holds texts, numbers, true and false, times, lists and maps of such');
}

/** Bytes, types and versions are objects, too, and nothing that a report holds. */
function isPlainObject(value: unknown): value is JsonObject {
  if (!isJsonObject(value as JsonValue)) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function membersToJson(
  members: readonly (readonly [unknown, unknown])[],
  depth: number,
  room: { characters: number },
): JsonObject {
  const entries = members.map(([name, member]) => {
    room.characters -= String(name).length;
    return [String(name), toJson(member, depth + 1, room)];
  });
  return Object.fromEntries(entries);
}
