/** Identifiers that travel through the whole flow, and how they are recognised. */

const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const uuid4Pattern = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** Hyphenated form, any version and case. */
export function isUuid(text: string): boolean {
  return uuidPattern.test(text);
}

/** What `rh-message-id` must be: hyphenated, version nibble 4. Source: consumers.md 1.4. */
export function isUuid4(text: string): boolean {
  return uuid4Pattern.test(text);
}
