/** Cuts text to a number of UTF-8 bytes without breaking a character. Called wherever the receiving side limits bytes. */

/** The longest prefix of whole code points within `bytesMax` bytes of UTF-8. A lone surrogate counts as U+FFFD, which it is encoded as. */
export function cutUtf8(text: string, bytesMax: number): string {
  // No code unit takes more than three bytes.
  if (text.length * 3 <= bytesMax) return text;
  const bytes = Buffer.from(text, 'utf8');
  if (bytes.length <= bytesMax) return text;
  let end = bytesMax;
  while (end > 0 && (bytes[end]! & 0xc0) === 0x80) end -= 1;
  return bytes.subarray(0, end).toString('utf8');
}
