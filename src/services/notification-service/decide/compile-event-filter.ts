/**
 * The event filter language of the reference: integer arithmetic and comparisons over an issue's likelihood, impact, total risk and the
 * target's thresholds. An expression is compiled once, and everything that could be wrong with it whatever the values are is found then.
 * Evaluated by `verdicts.ts` once per rule and error key. Source: notification-service.md 7.1, with all its verified outcomes; an
 * unbalanced `)`, which crashes the reference, is an error here.
 */
import { CcxError } from '../../../encoding/ccx-error.ts';

export const DEFAULT_EVENT_FILTER = 'totalRisk >= totalRiskThreshold';

const filterNames = [
  'likelihood',
  'impact',
  'totalRisk',
  'severity',
  'likelihoodThreshold',
  'impactThreshold',
  'severityThreshold',
  'totalRiskThreshold',
] as const;

type FilterName = (typeof filterNames)[number];
export type FilterValues = Readonly<Record<FilterName, number>>;

export interface EventFilter {
  /** True when the expression's value is above zero; `undefined` when it cannot be evaluated, which only a division by zero can cause. */
  passes(values: FilterValues): boolean | undefined;
  /** Tokens that the language does not know and leaves out, as the reference does; worth a warning. */
  readonly dropped: readonly string[];
}

interface Operator {
  readonly priority: number;
  readonly apply: (left: bigint, right: bigint) => bigint;
}

const wrapped = (value: bigint) => BigInt.asIntN(64, value);
const truth = (condition: boolean) => (condition ? 1n : 0n);

/** Signed 64-bit arithmetic that wraps; comparisons and logic give 0 or 1. */
const operators = {
  '*': { priority: 5, apply: (left, right) => wrapped(left * right) },
  '/': { priority: 5, apply: (left, right) => wrapped(left / right) },
  '%': { priority: 5, apply: (left, right) => left % right },
  '+': { priority: 4, apply: (left, right) => wrapped(left + right) },
  '-': { priority: 4, apply: (left, right) => wrapped(left - right) },
  '==': { priority: 3, apply: (left, right) => truth(left === right) },
  '!=': { priority: 3, apply: (left, right) => truth(left !== right) },
  '<': { priority: 3, apply: (left, right) => truth(left < right) },
  '<=': { priority: 3, apply: (left, right) => truth(left <= right) },
  '>': { priority: 3, apply: (left, right) => truth(left > right) },
  '>=': { priority: 3, apply: (left, right) => truth(left >= right) },
  '&&': { priority: 2, apply: (left, right) => truth(left !== 0n && right !== 0n) },
  '||': { priority: 1, apply: (left, right) => truth(left !== 0n || right !== 0n) },
} as const satisfies Record<string, Operator>;

type OperatorText = keyof typeof operators;

type FilterToken =
  | { readonly kind: 'integer'; readonly value: bigint }
  | { readonly kind: 'name'; readonly text: string }
  | { readonly kind: 'operator'; readonly text: OperatorText }
  | { readonly kind: 'open' | 'close' }
  /** A token that Go knows and the filter language does not. */
  | { readonly kind: 'dropped'; readonly text: string };

type Instruction =
  | { readonly kind: 'push'; readonly value: bigint }
  | { readonly kind: 'load'; readonly name: FilterName }
  | { readonly kind: 'apply'; readonly operator: OperatorText };

/** Empty text means `totalRisk >= totalRiskThreshold`. Throws `CcxError` code `EVENT_FILTER_INVALID`; `setting` names the key to change. */
export function compileEventFilter(text: string, setting: string): EventFilter {
  const expression = text === '' ? DEFAULT_EVENT_FILTER : text;
  const tokens = tokenizeEventFilter(expression);
  const refuse = (what: string): never => {
    throw new CcxError(`the event filter ${JSON.stringify(expression)} cannot be used: ${what}`, {
      code: 'EVENT_FILTER_INVALID',
      category: 'configuration',
      hint: `change ${setting}; it is integer arithmetic such as ${JSON.stringify(DEFAULT_EVENT_FILTER)}`,
    });
  };
  const program: Instruction[] = [];
  const waiting: (OperatorText | '(')[] = [];
  const dropped: string[] = [];
  for (const token of tokens) {
    switch (token.kind) {
      case 'integer':
        program.push({ kind: 'push', value: token.value });
        break;
      case 'name':
        program.push({ kind: 'load', name: knownName(token.text) ?? refuse(`unknown identifier ${token.text}`) });
        break;
      case 'operator':
        while (waiting.length > 0 && bindsAsMuch(waiting.at(-1)!, token.text)) {
          program.push({ kind: 'apply', operator: waiting.pop() as OperatorText });
        }
        waiting.push(token.text);
        break;
      case 'open':
        waiting.push('(');
        break;
      case 'close':
        while (waiting.length > 0 && waiting.at(-1) !== '(') {
          program.push({ kind: 'apply', operator: waiting.pop() as OperatorText });
        }
        if (waiting.pop() !== '(') refuse('a closing parenthesis has no opening one');
        break;
      case 'dropped':
        dropped.push(token.text);
        break;
    }
  }
  while (waiting.length > 0) {
    const operator = waiting.pop()!;
    if (operator === '(') return refuse('an opening parenthesis is not closed');
    program.push({ kind: 'apply', operator });
  }
  checkOperands(program, refuse);
  return { dropped, passes: (values) => evaluate(program, values) };
}

function knownName(text: string): FilterName | undefined {
  return filterNames.find((name) => name === text);
}

/** All operators are left-associative: one on the stack of the same priority is applied first. */
function bindsAsMuch(waiting: OperatorText | '(', next: OperatorText): boolean {
  return waiting !== '(' && operators[waiting].priority >= operators[next].priority;
}

/** Every instruction is always executed, so the number of operands is known without values. */
function checkOperands(program: readonly Instruction[], refuse: (what: string) => never): void {
  let depth = 0;
  for (const instruction of program) {
    if (instruction.kind !== 'apply') depth += 1;
    else if (depth < 2) refuse(`operator ${instruction.operator} has an operand missing`);
    else depth -= 1;
  }
  if (depth === 0) refuse('it has no value');
  if (depth > 1) refuse('it has more than one value');
}

function evaluate(program: readonly Instruction[], values: FilterValues): boolean | undefined {
  const stack: bigint[] = [];
  for (const instruction of program) {
    switch (instruction.kind) {
      case 'push':
        stack.push(instruction.value);
        break;
      case 'load':
        stack.push(BigInt(values[instruction.name]));
        break;
      case 'apply': {
        const right = stack.pop()!;
        const left = stack.pop()!;
        if (right === 0n && (instruction.operator === '/' || instruction.operator === '%')) return undefined;
        stack.push(operators[instruction.operator].apply(left, right));
        break;
      }
    }
  }
  return stack[0]! > 0n;
}

/** Go's tokens of several characters, longest first, so that `<<` is not read as two comparisons. */
const longTokens = [
  ...['<<=', '>>=', '&^=', '...'],
  ...['&&', '||', '==', '!=', '<=', '>=', '<<', '>>', '<-', '&^', '++', '--', ':='],
  ...['+=', '-=', '*=', '/=', '%=', '&=', '|=', '^='],
];

const keywords: ReadonlySet<string> = new Set(
  (
    'break case chan const continue default defer else fallthrough for func go goto if import interface map package range return ' +
    'select struct switch type var'
  ).split(' '),
);

const blank = /[ \t\r\n]+|\/\/[^\n]*|\/\*[\s\S]*?(?:\*\/|$)/y;
const word = /[\p{L}_][\p{L}\p{Nd}_]*/uy;
/** Hexadecimal, binary and octal prefixes, decimals, fractions, exponents and the imaginary suffix, as far as they reach. */
const number =
  /0[xX][0-9a-fA-F_]*(?:\.[0-9a-fA-F_]*)?(?:[pP][+-]?[0-9_]*)?i?|0[bBoO][0-9_]*i?|(?:[0-9][0-9_]*(?:\.[0-9_]*)?|\.[0-9][0-9_]*)(?:[eE][+-]?[0-9_]*)?i?/y;
const quoted = /"(?:\\.|[^"\\\n])*"?|'(?:\\.|[^'\\\n])*'?|`[^`]*`?/y;

const integerMax = 9_223_372_036_854_775_807n;

/** Splits an expression into tokens the way Go's language scanner does, of which the language uses a handful and leaves out the rest. */
function tokenizeEventFilter(text: string): FilterToken[] {
  const tokens: FilterToken[] = [];
  let at = 0;
  const take = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at;
    const found = pattern.exec(text)?.[0];
    if (found !== undefined) at += found.length;
    return found;
  };
  while (at < text.length) {
    if (take(blank) !== undefined) continue;
    const name = take(word);
    if (name !== undefined) {
      tokens.push(keywords.has(name) ? { kind: 'dropped', text: name } : { kind: 'name', text: name });
      continue;
    }
    const digits = take(number);
    if (digits !== undefined) {
      tokens.push(isInteger(digits) ? { kind: 'integer', value: decimal(digits) } : { kind: 'dropped', text: digits });
      continue;
    }
    const literal = take(quoted);
    if (literal !== undefined) {
      tokens.push({ kind: 'dropped', text: literal });
      continue;
    }
    tokens.push(symbolAt(text, at));
    at += longTokens.find((symbol) => text.startsWith(symbol, at))?.length ?? [...text.slice(at, at + 2)][0]!.length;
  }
  return tokens;
}

function symbolAt(text: string, at: number): FilterToken {
  const symbol = longTokens.find((candidate) => text.startsWith(candidate, at)) ?? [...text.slice(at, at + 2)][0]!;
  if (symbol === '(') return { kind: 'open' };
  if (symbol === ')') return { kind: 'close' };
  return Object.hasOwn(operators, symbol)
    ? { kind: 'operator', text: symbol as OperatorText }
    : { kind: 'dropped', text: symbol };
}

/** Fractions, exponents and imaginary numbers are no integers; in a hexadecimal number `e` is a digit. */
function isInteger(literal: string): boolean {
  return /^0[xX]/.test(literal) ? !/[.pPi]/.test(literal) : !/[.eEi]/.test(literal);
}

/** The reference converts with a reader that knows decimal digits only: prefixes and underscores give 0, too much gives the maximum. */
function decimal(literal: string): bigint {
  if (!/^[0-9]+$/.test(literal)) return 0n;
  const value = BigInt(literal);
  return value > integerMax ? integerMax : value;
}
