/**
 * Splits an event filter into tokens the way Go's language scanner does, of which the filter language uses a handful and silently leaves
 * out the rest. Called by `compile-event-filter.ts`. Source: notification-service.md 7.1.
 */

export type OperatorText = '*' | '/' | '%' | '+' | '-' | '==' | '!=' | '<' | '<=' | '>' | '>=' | '&&' | '||';

export type FilterToken =
  | { readonly kind: 'integer'; readonly value: bigint }
  | { readonly kind: 'name'; readonly text: string }
  | { readonly kind: 'operator'; readonly text: OperatorText }
  | { readonly kind: 'open' | 'close' }
  /** A token that Go knows and the filter language does not. */
  | { readonly kind: 'dropped'; readonly text: string };

const operators: ReadonlySet<string> = new Set(['*', '/', '%', '+', '-', '==', '!=', '<', '<=', '>', '>=', '&&', '||']);

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

export function tokenizeEventFilter(text: string): FilterToken[] {
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
  return operators.has(symbol) ? { kind: 'operator', text: symbol as OperatorText } : { kind: 'dropped', text: symbol };
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
