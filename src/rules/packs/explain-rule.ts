/** Why a pack's rule fires over an archive, or does not: each input, and each part of its expressions with its value. For a person who writes one. */
import type { ASTNode } from '@marcbachmann/cel-js';
import type { ArchiveView } from '../engine/archive-view.ts';
import { childrenOf, compileExpression, environmentOf, evaluationFailure, toJson } from './compile-expression.ts';
import type { PackInput, PackRule } from './pack.ts';
import { type PackOutcome, PackProgram } from './run-packs.ts';

interface ExplainedPart {
  /** The text of the part. */
  readonly part: string;
  /** How many parts it stands within. */
  readonly depth: number;
  /** JSON, cut; absent where it has none. */
  readonly value?: string;
  readonly error?: string;
}

interface ExplainedRule {
  readonly inputs: readonly (PackInput & { readonly paths: readonly string[]; readonly broken: readonly string[] })[];
  readonly outcome: PackOutcome;
  /** Of the condition, outermost first; empty where an input is missing. */
  readonly when: readonly ExplainedPart[];
  readonly details: Readonly<Record<string, ExplainedPart>>;
}

/** What stands deeper is seen by its value within what it stands in. */
const depthMax = 4;
const valueCharactersMax = 200;
/** Operators whose operands are parts of their own. */
const joins: ReadonlySet<string> = new Set([
  '&&',
  '||',
  '!_',
  '?:',
  '==',
  '!=',
  '<',
  '<=',
  '>',
  '>=',
  'in',
  '+',
  '-',
  '*',
  '/',
  '%',
]);

export function explainRule(rule: PackRule, archive: ArchiveView, gatheredAt: Date): ExplainedRule {
  const program = new PackProgram({ version: 'explained', rules: [rule] });
  const read = program.read(archive);
  const files = rule.inputs.map((input) => ({ ...input, ...read.filesOf(input) }));
  const outcome = program.run(rule, { inputs: read, gatheredAt, isLost: () => false });
  const inputs = files.map(({ value: _, ...input }) => input);
  const isAbsent = files.some(({ optional, paths, broken }) => broken.length > 0 || (paths.length === 0 && !optional));
  if (isAbsent || (outcome.kind === 'skipped' && outcome.overLimit === true))
    return { inputs, outcome, when: [], details: {} };

  const variables = { gathered_at: gatheredAt, ...Object.fromEntries(files.map(({ name, value }) => [name, value])) };
  const environment = environmentOf(rule.inputs);
  const partOf = (part: string, depth: number): ExplainedPart => {
    const compiled = compileExpression(part, environment, []);
    if ('faults' in compiled) return { part, depth, error: compiled.faults[0].problem };
    try {
      return { part, depth, value: shown(compiled.run(variables)) };
    } catch (error) {
      return { part, depth, error: evaluationFailure(error, part) };
    }
  };
  const partsOf = (text: string, node: ASTNode, depth: number): ExplainedPart[] => {
    const part = partOf(depth === 0 ? text : partText(text, node.range), depth);
    const within = joins.has(node.op) && depth < depthMax ? childrenOf(node.args) : [];
    return [part, ...within.filter(({ op }) => op !== 'value').flatMap((child) => partsOf(text, child, depth + 1))];
  };
  const compiled = compileExpression(rule.when, environment, []);
  const when = 'faults' in compiled ? [partOf(rule.when, 0)] : partsOf(rule.when, compiled.tree, 0);
  const details = Object.fromEntries(Object.entries(rule.details).map(([name, text]) => [name, partOf(text, 0)]));
  return { inputs, outcome, when, details };
}

/** The place of an operand leaves out the brackets around it, also those that it begins or ends within. */
function partText(text: string, { start, end }: { readonly start: number; readonly end: number }): string {
  let from = start;
  let to = end;
  for (;;) {
    const { opened, closed } = brackets(text.slice(from, to));
    if (closed > 0) from = text.lastIndexOf('(', from - 1);
    else if (opened > 0) to = text.indexOf(')', to) + 1;
    else return text.slice(from, to);
    if (from === -1 || to === 0) return text.slice(start, end);
  }
}

/** Brackets that are opened and not closed, and the other way round, outside of texts. */
function brackets(text: string): { readonly opened: number; readonly closed: number } {
  let opened = 0;
  let closed = 0;
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[()]/gs)) {
    if (token === '(') opened += 1;
    else if (token === ')' && opened > 0) opened -= 1;
    else if (token === ')') closed += 1;
  }
  return { opened, closed };
}

function shown(value: unknown): string {
  const text = JSON.stringify(toJson(value));
  return text.length > valueCharactersMax ? `${text.slice(0, valueCharactersMax - 1)}…` : text;
}
