/**
 * Base64 as Go and as Python read it. `Buffer.from(text, 'base64')` never fails and takes the URL alphabet and missing padding as well, so
 * what the reference refuses would pass. Used for identities. Source: ingress.md A.3.2, data-pipeline.md 2.3.
 */

const strictPattern = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** Go's `base64.StdEncoding`: standard alphabet, padding required, line ends ignored. Undefined where it fails. */
export function decodeBase64Strictly(text: string): Buffer | undefined {
  const joined = text.replace(/[\r\n]/g, '');
  return strictPattern.test(joined) ? Buffer.from(joined, 'base64') : undefined;
}

/**
 * Python's `base64.b64decode`: characters outside of the alphabet are discarded, reading ends at complete padding, incomplete padding is
 * an error. Undefined where it fails.
 */
export function decodeBase64LikePython(text: string): Buffer | undefined {
  // What everybody sends; the walk below is for the rest.
  if (strictPattern.test(text)) return Buffer.from(text, 'base64');
  if (/[^\x00-\x7f]/.test(text)) return undefined;
  let digits = '';
  let pads = 0;
  for (const character of text) {
    if (character === '=') {
      pads += 1;
      const inQuad = digits.length % 4;
      if (inQuad >= 2 && inQuad + pads >= 4) return Buffer.from(digits, 'base64');
    } else if (/[A-Za-z0-9+/]/.test(character)) {
      digits += character;
      pads = 0;
    }
  }
  return digits.length % 4 === 0 ? Buffer.from(digits, 'base64') : undefined;
}
