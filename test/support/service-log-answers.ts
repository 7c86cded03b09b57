/** What a token endpoint answers, for tests with a Service Log of their own. */
import type { Clock } from '../../src/platform/clock/clock.ts';

export function createTestToken(clock: Clock): Record<string, unknown> {
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const now = Math.floor(clock.now().getTime() / 1000);
  const token = `${part({ alg: 'none' })}.${part({ exp: now + 900, iat: now })}.x`;
  return { access_token: token, token_type: 'Bearer', expires_in: 900 };
}
