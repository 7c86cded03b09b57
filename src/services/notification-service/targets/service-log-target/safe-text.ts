/**
 * Rendered texts hold values from an archive, which anybody may have packed. Before they go to people they lose what could act: HTML and
 * links made up in data, addresses that run code, characters that no text needs. What the rule's author wrote stays as it is.
 */

/** `<` before what makes a tag or an automatic link of it; also at the end of a string, where template text may follow. */
const opensTag = /(?:<|\\u003c(?<=(?<!\\)(?:\\\\)*\\u003c))(?=[a-z/!?"\\])/gi;
/** `](` is what makes a Markdown link. */
const opensLink = /(?:\]|\\u005d(?<=(?<!\\)(?:\\\\)*\\u005d))(?=\(|\\u0028)/gi;

/**
 * Raw JSON of an issue's details with a blank put where a string could begin an HTML tag or a Markdown link. Outside of strings JSON has
 * neither `<` nor `](`, so the text can be treated as it is, and everything else, such as the digits of large numbers, stays byte for
 * byte.
 */
export function harmlessDetails(rawJson: string): string {
  return rawJson.replaceAll(opensTag, '$& ').replaceAll(opensLink, '$& ');
}

/** Without control characters but line ends and tabs; lone surrogates replaced. */
export function cleanText(text: string): string {
  return text
    .toWellFormed()
    .replaceAll(/\r\n?/g, '\n')
    .replaceAll(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u2028\u2029]/g, '');
}

/** One line of plain text. */
export function cleanLine(text: string): string {
  return cleanText(text).replaceAll(/\s+/g, ' ').trim();
}

/** Clean Markdown in which every link, inline or defined apart, leads to an allowed scheme or nowhere. */
export function safeMarkdown(text: string): string {
  const safe = (whole: string, open: string, target: string) => (isAllowed(target) ? whole : `${open}#`);
  return cleanText(text)
    .replaceAll(/(\]\(\s*<?)([^)\s>]*)/g, safe)
    .replaceAll(/^(\s{0,3}\[[^\]\n]+\]:\s*<?)([^\s>]+)/gm, safe);
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
