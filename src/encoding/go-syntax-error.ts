/**
 * What Go's `encoding/json` says of text that is not JSON, word by word: clients are answered with it. Walks the text again with the states
 * of Go's scanner; called only once it is known to be wrong, by `go-decoder.ts`.
 */
import { jsonDepthMax } from './json-scanner.ts';

/** What a byte leads to: the next state, or what Go says behind `invalid character 'x' `. */
type Step = State | { readonly error: string };
type State = (character: string, open: Open[]) => Step;
/** A container that is not closed yet, and what its next value is. */
type Open = 'key' | 'value' | 'element';

const endOfInput = 'unexpected end of JSON input';

/** `text`: known not to be JSON. */
export function goSyntaxError(text: Buffer): string {
  const open: Open[] = [];
  let state: State = beginValue;
  // Each byte is a character to Go; its end is tried as a blank, which ends a number and spoils a word.
  for (const byte of [...text, 0x20]) {
    const character = String.fromCharCode(byte);
    const step = state(character, open);
    if (typeof step !== 'function') return `invalid character ${quoted(character)} ${step.error}`;
    state = step;
  }
  return endOfInput;
}

const wrong = (error: string): Step => ({ error });
const isSpace = (character: string) => /^[ \t\r\n]$/.test(character);
const isDigit = (character: string) => /^[0-9]$/.test(character);

const beginValue: State = (character, open) => {
  if (isSpace(character)) return beginValue;
  if (character === '{') return opened(open, 'key', beginKeyOrEnd);
  if (character === '[') return opened(open, 'element', beginElementOrEnd);
  if (character === '"') return inString;
  if (character === '-') return afterMinus;
  if (character === '0') return afterInteger;
  if (isDigit(character)) return inInteger;
  const word = ['true', 'false', 'null'].find((one) => one.startsWith(character));
  return word === undefined ? wrong('looking for beginning of value') : inWord(word, 1);
};

function opened(open: Open[], container: Open, inside: State): Step {
  open.push(container);
  return open.length > jsonDepthMax ? wrong('exceeded max depth') : inside;
}

const beginElementOrEnd: State = (character, open) => {
  if (isSpace(character)) return beginElementOrEnd;
  return character === ']' ? afterValue(character, open) : beginValue(character, open);
};

const beginKeyOrEnd: State = (character, open) => {
  if (isSpace(character)) return beginKeyOrEnd;
  if (character !== '}') return beginKey(character, open);
  open.pop();
  return afterValue;
};

const beginKey: State = (character) => {
  if (isSpace(character)) return beginKey;
  return character === '"' ? inString : wrong('looking for beginning of object key string');
};

const afterValue: State = (character, open) => {
  if (isSpace(character)) return afterValue;
  const container = open.pop();
  if (container === undefined) return wrong('after top-level value');
  if (container === 'key') {
    open.push('value');
    return character === ':' ? beginValue : wrong('after object key');
  }
  if (character === (container === 'value' ? '}' : ']')) return afterValue;
  if (character !== ',') return wrong(container === 'value' ? 'after object key:value pair' : 'after array element');
  open.push(container === 'value' ? 'key' : 'element');
  return container === 'value' ? beginKey : beginValue;
};

const inString: State = (character) => {
  if (character === '"') return afterValue;
  if (character === '\\') return inEscape;
  return character < ' ' ? wrong('in string literal') : inString;
};

const inEscape: State = (character) => {
  if (character === 'u') return inHex(4);
  return /^[bfnrt\\/"]$/.test(character) ? inString : wrong('in string escape code');
};

function inHex(left: number): State {
  return (character) => {
    if (!/^[0-9A-Fa-f]$/.test(character)) return wrong('in \\u hexadecimal character escape');
    return left === 1 ? inString : inHex(left - 1);
  };
}

const afterMinus: State = (character) => {
  if (character === '0') return afterInteger;
  return isDigit(character) ? inInteger : wrong('in numeric literal');
};

const inInteger: State = (character, open) => (isDigit(character) ? inInteger : afterInteger(character, open));

const afterInteger: State = (character, open) => {
  if (character === '.') return afterPoint;
  return /^[eE]$/.test(character) ? inExponentSign : afterValue(character, open);
};

const afterPoint: State = (character) =>
  isDigit(character) ? inFraction : wrong('after decimal point in numeric literal');

const inFraction: State = (character, open) => {
  if (isDigit(character)) return inFraction;
  return /^[eE]$/.test(character) ? inExponentSign : afterValue(character, open);
};

const inExponentSign: State = (character, open) =>
  /^[+-]$/.test(character) ? beginExponent : beginExponent(character, open);

const beginExponent: State = (character) => (isDigit(character) ? inExponent : wrong('in exponent of numeric literal'));

const inExponent: State = (character, open) => (isDigit(character) ? inExponent : afterValue(character, open));

function inWord(word: string, at: number): State {
  return (character) => {
    if (character !== word[at]) return wrong(`in literal ${word} (expecting '${word[at]}')`);
    return at + 1 === word.length ? afterValue : inWord(word, at + 1);
  };
}

const shortEscapes: Readonly<Record<string, string>> = {
  "'": "\\'",
  '\\': '\\\\',
  '\x07': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
};

/** As Go quotes a byte that it takes for a character. */
function quoted(character: string): string {
  const code = character.charCodeAt(0);
  const isPrintable = code >= 0x20 && code !== 0x7f && !(code >= 0x80 && code <= 0xa0) && code !== 0xad;
  const hex = code < 0x80 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`;
  return `'${shortEscapes[character] ?? (isPrintable ? character : hex)}'`;
}
