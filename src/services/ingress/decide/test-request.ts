/** Whether a request only wants to know if uploading would work. Source: ingress.md A.4.1. */

export type TestBodyKind = 'urlencoded' | 'json' | 'none';

/** Which kind of body could hold the word; a JSON type with a charset is none, as in the reference. */
export function testBodyKind(contentType: string | undefined): TestBodyKind {
  if (contentType === 'application/json') return 'json';
  const mediaType = contentType?.split(';', 1)[0]?.trim().toLowerCase();
  return mediaType === 'application/x-www-form-urlencoded' ? 'urlencoded' : 'none';
}

export interface TestRequestFacts {
  readonly bodyKind: TestBodyKind;
  /** Empty where no body was read. */
  readonly body: string;
  /** Of the URL, without the question mark. */
  readonly query: string;
}

/** The first value wins, and those of the body come before those of the URL. */
export function isTestRequest({ bodyKind, body, query }: TestRequestFacts): boolean {
  if (bodyKind === 'json' && /\{\s*"test"\s*:\s*"test"\s*\}/.test(body)) return true;
  const inBody = bodyKind === 'urlencoded' ? new URLSearchParams(body).get('test') : null;
  return (inBody ?? new URLSearchParams(query).get('test')) === 'test';
}
