/**
 * Rendered texts hold values from an archive, which anybody may have packed. In values, markup is text: a name that holds a link, a picture
 * or the end of a code span is shown as it is and does nothing. What the rule's author wrote stays as it is.
 *
 * A template mixes both, so the two are told apart before: in details, each character that Markdown or HTML could take for markup is
 * swapped for a stand-in that no text holds (a Unicode noncharacter). After rendering, the author's own text alone says what is code and
 * what is not, and each stand-in becomes what shows the character there: escaped in text, plain in code.
 */

/** Characters that values may hold → their stand-ins. One UTF-16 unit each, so that what a template cuts stays whole. */
const standIns: Readonly<Record<string, string>> = Object.fromEntries(
  ['`', '[', ']', '<', '>', '*', '_', '~', '|', '\\', '&', '#', '-', '+', '=', '.', ')', '!', '\n'].map(
    (character, index) => [character, String.fromCharCode(0xfdd0 + index)],
  ),
);
const characters = new Map(Object.entries(standIns).map(([character, standIn]) => [standIn, character]));
const anyStandIn = /[\ufdd0-\ufdef]/g;

/** A JSON string; outside of strings JSON has nothing that could act. */
const jsonString = /"(?:[^"\\]|\\.)*"/g;
/** Raw JSON of an issue's details with the markup of its strings swapped; numbers of any size stay byte for byte. */
export function harmlessDetails(rawJson: string): string {
  return rawJson.replaceAll(jsonString, (token) => {
    const value = JSON.parse(token) as string;
    const marked = markedValue(value);
    return marked === value ? token : JSON.stringify(marked);
  });
}

/** Invisible characters with which a text can look like another: direction marks and overrides, blanks without width, tags. */
const invisible = /[\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]|\udb40[\udc00-\udc7f]/g;

function markedValue(value: string): string {
  const swap = (character: string) => standIns[character] ?? character;
  return (
    cleanText(value)
      .replaceAll(anyStandIn, '')
      .trim()
      // What begins a block when a value begins a line: headings, lists, quotes, underlines.
      .replace(/^[-+=#>](?=[\s=#-]|(?<=>)|$)/, swap)
      .replace(/^(\d{1,9})([.)])(?=\s|$)/, (_, digits: string, character: string) => digits + swap(character))
      .replaceAll(/\s*\n\s*/g, swap('\n'))
      // Addresses that programs make links of by themselves.
      .replaceAll(/\/(?=\/)/g, '/ ')
      .replaceAll(/www(?=\.)|ww(?=w$)/gi, '$& ')
      .replaceAll(/@(?=[\p{L}\p{N}\p{M}_.-]*\.[\p{L}\p{N}_-])/gu, '@ ')
      .replaceAll(/\\(?=[!-/:-@[-`{-~\n]|$)/g, swap)
      .replaceAll(/&(?=#?\w+;)/g, swap)
      .replaceAll(/!(?=\[)/g, swap)
      // Inside a word an underscore is one.
      .replaceAll(/(?<![\p{L}\p{N}])_|_(?![\p{L}\p{N}])/gu, swap)
      .replaceAll(/<(?=[a-z/!?]|[^\s<>]*@|$)/gi, swap)
      .replaceAll(/(?<!\s)\*|\*(?!\s)/g, swap)
      .replaceAll(/[`[\]~|]/g, swap)
  );
}

/** Without control and invisible characters but line ends and tabs; lone surrogates replaced. */
export function cleanText(text: string): string {
  return text
    .toWellFormed()
    .replaceAll(/\r\n?/g, '\n')
    .replaceAll(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u2028\u2029\ufff0-\ufff8\ufffe\uffff]/g, '')
    .replaceAll(invisible, '');
}

/** One line of plain text. */
export function cleanLine(text: string): string {
  return shown(cleanText(text)).replaceAll(/\s+/g, ' ').trim();
}

/** Clean Markdown in which values are text, and every link of the author's, inline or defined apart, leads to an allowed scheme or nowhere. */
export function safeMarkdown(text: string): string {
  const safe = (whole: string, open: string, target: string) => (isAllowed(target) ? whole : `${open}#`);
  const author = cleanText(text)
    .replaceAll(/(\]\(\s*<?)([^)\s>]*)/g, safe)
    .replaceAll(/^(\s{0,3}\[[^\]\n]+\]:\s*<?)([^\s>]+)/gm, safe);
  return shown(author);
}

/**
 * As much of it as `bytesMax` bytes hold. It is cut before values are shown: behind a cut that takes a code span's end away, what was code
 * is text, and has to be shown as text.
 */
export function safeMarkdownWithin(text: string, bytesMax: number): string {
  const whole = safeMarkdown(text);
  if (Buffer.byteLength(whole) <= bytesMax) return whole;
  let fitting = '';
  let [low, high] = [0, text.length];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    // Half a character at the end is cut off.
    const part = safeMarkdown(text.slice(0, middle).replace(/[\ud800-\udbff]$/, ''));
    if (Buffer.byteLength(part) <= bytesMax) [low, fitting] = [middle, part];
    else high = middle - 1;
  }
  return fitting;
}

/** A line that opens or closes fenced code, and only one of which that is certain: in doubt it is text, where values are escaped. */
const fenceLine = /^ {0,3}(`{3,}|~{3,})([^`]*)$/;

/** Stand-ins → what shows their characters where they stand now. */
function shown(text: string): string {
  if (text.search(anyStandIn) === -1) return text;
  let fence: string | undefined;
  const lines = text.split('\n').map((line) => {
    const [, marks, behind = ''] = fenceLine.exec(line) ?? [];
    if (fence === undefined) {
      fence = marks;
      return marks === undefined ? shownInLine(line) : line.replaceAll(anyStandIn, inText);
    }
    if (marks?.startsWith(fence) === true && behind.trim() === '') fence = undefined;
    const code = line.replaceAll(anyStandIn, inCode);
    // Four blanks more, and it closes no fence.
    return code !== line && fenceLine.test(code) ? `    ${code}` : code;
  });
  return lines.join('\n');
}

/** A code span is what the author opened and closed on the same line with as many back-ticks. */
const codeSpan = /(?<![`\\])(`+)(?!`)(.*?[^`])\1(?!`)/g;

function shownInLine(line: string): string {
  let at = 0;
  let result = '';
  for (const match of line.matchAll(codeSpan)) {
    result += line.slice(at, match.index).replaceAll(anyStandIn, inText) + match[0].replaceAll(anyStandIn, inCode);
    at = match.index + match[0].length;
  }
  return result + line.slice(at).replaceAll(anyStandIn, inText);
}

function inText(standIn: string): string {
  const character = characters.get(standIn) ?? '\n';
  return character === '\n' ? ' ' : `\\${character}`;
}

/** Nothing can be escaped in code. What would end it, or be a tag where a reader sees no code, is put so that it cannot. */
function inCode(standIn: string): string {
  const character = characters.get(standIn) ?? '\n';
  if (character === '\n') return ' ';
  if (character === '`') return "'";
  return character === '<' ? '< ' : character;
}

const allowedSchemes = new Set(['http', 'https', 'mailto']);

/** Markdown decodes entities and escapes in addresses, so those count as what hides a scheme. */
function isAllowed(target: string): boolean {
  const decoded = target.replaceAll(/&(#x?[0-9a-f]+|[a-z]+);?/gi, ':').replaceAll(/[\u0000-\u0020\\]/g, '');
  const scheme = /^([^/?#]*?):/.exec(decoded)?.[1]?.toLowerCase();
  return scheme === undefined || allowedSchemes.has(scheme);
}

/** The address of our own link: what would end it early, or is no part of an address, is percent-encoded. Bars and dots stay. */
export function safeLinkTarget(url: string): string {
  return cleanText(url).replaceAll(/[\s()<>[\]"'`\\]/g, (character) => {
    const code = character.charCodeAt(0);
    return code < 0x80 ? `%${code.toString(16).toUpperCase().padStart(2, '0')}` : encodeURIComponent(character);
  });
}
