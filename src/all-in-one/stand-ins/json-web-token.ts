/**
 * Tokens that the stand-in endpoint issues and the stand-in Service Log reads. Their signature proves nothing and is not checked; what
 * matters to clients is that the token parses and when it ends.
 */
import { createHmac } from 'node:crypto';
import { isJsonObject, type JsonObject } from '../../encoding/json-text.ts';

/** No secret: whoever runs a stand-in trusts everybody. */
const signingKey = 'stand-in';

export function issueToken(claims: JsonObject): string {
  const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const unsigned = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode(claims)}`;
  return `${unsigned}.${createHmac('sha256', signingKey).update(unsigned).digest('base64url')}`;
}

/** The claims, or undefined for what is no token of that form. */
export function readClaims(token: string): JsonObject | undefined {
  const part = token.split('.')[1];
  if (part === undefined) return undefined;
  try {
    const claims: unknown = JSON.parse(Buffer.from(part, 'base64url').toString('utf8'));
    return isJsonObject(claims) ? claims : undefined;
  } catch {
    return undefined;
  }
}
