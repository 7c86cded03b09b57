/**
 * `value; name=token; name="quoted \" text"; name*=utf-8''percent%20encoded`, as in content types and dispositions, read as Go's
 * `mime.ParseMediaType` does, RFC 2231 continuations included. Used for requests and for the parts of their forms.
 */

interface MediaType {
  /** In lower case. */
  readonly value: string;
  /** Names in lower case. Empty where one of them cannot be read. */
  readonly parameters: ReadonlyMap<string, string>;
}

const tokenCharacters = "[!#$%&'*+.^_`{|}~0-9A-Za-z-]";
const valuePattern = new RegExp(`^${tokenCharacters}+(?:/${tokenCharacters}+)?$`);
const parameterPattern = new RegExp(
  `\\s*;\\s*(${tokenCharacters}+)\\s*=\\s*(?:"((?:[^"\\\\\\r\\n]|\\\\[^\\r\\n])*)"|(${tokenCharacters}+))`,
  'y',
);
const nothingMore = /\s*;?\s*$/y;
/** Only these need to be escaped; another backslash is one of a Windows path. */
const escapedSpecial = /\\([()<>@,;:\\"/[\]?=])/g;

/** Undefined where the value is none, or a parameter comes twice with different texts. */
export function parseMediaType(header: string): MediaType | undefined {
  const [before = ''] = header.split(';', 1);
  const value = before.trim().toLowerCase();
  if (!valuePattern.test(value)) return undefined;
  const parameters = new Map<string, string>();
  let at = before.length;
  for (;;) {
    nothingMore.lastIndex = at;
    if (nothingMore.test(header)) return { value, parameters: joined(parameters) };
    parameterPattern.lastIndex = at;
    const match = parameterPattern.exec(header);
    if (match === null) return { value, parameters: new Map() };
    const name = match[1]!.toLowerCase();
    const text = match[3] ?? match[2]!.replace(escapedSpecial, '$1');
    if ((parameters.get(name) ?? text) !== text) return undefined;
    parameters.set(name, text);
    at = parameterPattern.lastIndex;
  }
}

/** Puts together what RFC 2231 takes apart: `name*`, and `name*0`, `name*1*`, … */
function joined(parameters: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  const whole = new Map<string, string>();
  const starred = new Set<string>();
  for (const [name, text] of parameters) {
    const star = name.indexOf('*');
    if (star === -1) whole.set(name, text);
    else starred.add(name.slice(0, star));
  }
  for (const name of starred) {
    const text = parameters.has(`${name}*`)
      ? decodeExtended(parameters.get(`${name}*`)!)
      : joinPieces(name, parameters);
    if (text !== undefined) whole.set(name, text);
  }
  return whole;
}

function joinPieces(name: string, parameters: ReadonlyMap<string, string>): string | undefined {
  let text: string | undefined;
  for (let n = 0; ; n += 1) {
    const plain = parameters.get(`${name}*${n}`);
    const encoded = parameters.get(`${name}*${n}*`);
    if (plain === undefined && encoded === undefined) return text;
    text = (text ?? '') + (plain ?? (n === 0 ? decodeExtended(encoded!) : unescapePercent(encoded!)) ?? '');
  }
}

/** `charset'language'text`. */
function decodeExtended(text: string): string | undefined {
  const match = /^(us-ascii|utf-8)'[^']*'(.*)$/is.exec(text);
  return match === null ? undefined : unescapePercent(match[2]!);
}

function unescapePercent(text: string): string | undefined {
  if (/%(?![0-9A-Fa-f]{2})/.test(text)) return undefined;
  const bytes = text.replace(/%(..)|[^\x00-\x7f]/g, (piece, hex?: string) =>
    hex === undefined ? Buffer.from(piece).toString('latin1') : String.fromCharCode(Number.parseInt(hex, 16)),
  );
  return Buffer.from(bytes, 'latin1').toString('utf8');
}
