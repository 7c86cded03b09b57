/**
 * The part of Service Log's search language that clients use: comparisons, `IN`, `LIKE`, `ILIKE`, `and`, `or`, `not`, parentheses.
 * Text in, predicate out. Source: consumers.md 2.1.
 */
import { CcxError } from '../../../encoding/ccx-error.ts';

/** A search expression; clients send a few comparisons. */
const searchCharactersMax = 4096;
/** Nested parentheses of a search expression. */
const searchDepthMax = 32;

type SearchableEntry = Readonly<Record<string, unknown>>;
type SearchPredicate = (entry: SearchableEntry) => boolean;

interface Token {
  readonly kind: 'word' | 'text' | 'symbol' | 'end';
  readonly value: string;
}

const timeColumns = new Set(['timestamp', 'created_at']);

/** Throws `SEARCH_INVALID` for what it does not understand, and for a column that is none. */
export function parseSearch(search: string, columns: ReadonlySet<string>): SearchPredicate {
  if (search.length > searchCharactersMax) throw invalid('it is too long');
  const reader = createReader(tokensOf(search), columns);
  const predicate = reader.either(0);
  reader.expectEnd();
  return predicate;
}

function tokensOf(search: string): Token[] {
  const tokens: Token[] = [];
  const pattern = /\s+|([a-z_][a-z0-9_.]*)|'((?:[^']|'')*)'|(-?\d+)|(<>|!=|>=|<=|[=<>(),])/giy;
  while (pattern.lastIndex < search.length) {
    const at = pattern.lastIndex;
    const match = pattern.exec(search);
    if (match === null) throw invalid(`cannot read it from character ${at + 1}`);
    if (match[1] !== undefined) tokens.push({ kind: 'word', value: match[1] });
    else if (match[2] !== undefined) tokens.push({ kind: 'text', value: match[2].replaceAll("''", "'") });
    else if (match[3] !== undefined) tokens.push({ kind: 'text', value: match[3] });
    else if (match[4] !== undefined) tokens.push({ kind: 'symbol', value: match[4] });
  }
  return tokens;
}

function createReader(tokens: readonly Token[], columns: ReadonlySet<string>) {
  let position = 0;
  const end: Token = { kind: 'end', value: 'the end' };
  const peek = () => tokens[position] ?? end;
  const next = () => {
    const token = peek();
    position += 1;
    return token;
  };
  const takes = (value: string) => {
    const token = peek();
    const same = token.kind !== 'text' && token.value.toLowerCase() === value;
    if (same) position += 1;
    return same;
  };
  const expect = (value: string) => {
    if (!takes(value)) throw invalid(`${value} is expected before ${peek().value}`);
  };

  const either = (depth: number): SearchPredicate => {
    const parts = [both(depth)];
    while (takes('or')) parts.push(both(depth));
    return (entry) => parts.some((part) => part(entry));
  };
  const both = (depth: number): SearchPredicate => {
    const parts = [single(depth)];
    while (takes('and')) parts.push(single(depth));
    return (entry) => parts.every((part) => part(entry));
  };
  const single = (depth: number): SearchPredicate => {
    if (depth > searchDepthMax) throw invalid('it is nested too deeply');
    if (takes('not')) {
      const inner = single(depth + 1);
      return (entry) => !inner(entry);
    }
    if (!takes('(')) return comparison();
    const inner = either(depth + 1);
    expect(')');
    return inner;
  };
  const comparison = (): SearchPredicate => {
    const column = next();
    if (column.kind !== 'word' || !columns.has(column.value)) throw invalid(`${column.value} is not a valid column`);
    const negated = takes('not');
    if (takes('in')) return apply(column.value, negated, oneOf(column.value, list()));
    if (takes('like')) return apply(column.value, negated, like(value(), ''));
    if (takes('ilike')) return apply(column.value, negated, like(value(), 'i'));
    const operator = next();
    if (operator.kind !== 'symbol' || negated) throw invalid(`an operator is expected before ${operator.value}`);
    return apply(column.value, false, compare(column.value, operator.value, value()));
  };
  const value = (): string => {
    const token = next();
    if (token.kind === 'text' || (token.kind === 'word' && /^(true|false)$/i.test(token.value))) return token.value;
    throw invalid(`a value is expected before ${token.value}`);
  };
  const list = (): string[] => {
    expect('(');
    const values = [value()];
    while (takes(',')) values.push(value());
    expect(')');
    return values;
  };
  return {
    either,
    expectEnd() {
      if (peek().kind !== 'end') throw invalid(`nothing is expected before ${peek().value}`);
    },
  };
}

function apply(column: string, negated: boolean, test: (text: string) => boolean): SearchPredicate {
  return (entry) => test(String(entry[column] ?? '')) !== negated;
}

function oneOf(column: string, values: readonly string[]): (text: string) => boolean {
  const tests = values.map((value) => compare(column, '=', value));
  return (text) => tests.some((test) => test(text));
}

function compare(column: string, operator: string, wanted: string): (text: string) => boolean {
  const order = timeColumns.has(column)
    ? timeOrder(wanted)
    : (text: string) => (text < wanted ? -1 : Number(text > wanted));
  switch (operator) {
    case '=':
      return (text) => order(text) === 0;
    case '!=':
    case '<>':
      return (text) => order(text) !== 0;
    case '<':
      return (text) => order(text) < 0;
    case '<=':
      return (text) => order(text) <= 0;
    case '>':
      return (text) => order(text) > 0;
    case '>=':
      return (text) => order(text) >= 0;
    default:
      throw invalid(`${operator} is not an operator`);
  }
}

function timeOrder(wanted: string): (text: string) => number {
  const wantedMs = Date.parse(wanted);
  if (Number.isNaN(wantedMs)) throw invalid(`${wanted} is not a time`);
  return (text) => Math.sign(Date.parse(text) - wantedMs);
}

function like(pattern: string, flags: string): (text: string) => boolean {
  const source = pattern
    .replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
    .replaceAll('%', '[^]*')
    .replaceAll('_', '[^]');
  const expression = new RegExp(`^${source}$`, flags);
  return (text) => expression.test(text);
}

function invalid(why: string): CcxError {
  return new CcxError(`the search expression is invalid: ${why}`, { code: 'SEARCH_INVALID', category: 'input' });
}
