/**
 * A route as data: path, what it takes, what it may answer, and who answers. From the same table the server takes its routes and
 * `openapi.json` is made, so that neither says what the other does not do.
 */
import { z } from 'zod';
import { type AcknowledgedRule, parseSelector } from '../../../contracts/acknowledgement.ts';
import { isUuid, ORGANIZATION_MAX } from '../../../contracts/identifiers.ts';
import { refusalSchema } from '../../../contracts/results-api.ts';
import type { Reader } from '../../../platform/auth/authenticator.ts';
import { versionCharactersMax } from '../../../rules/engine/semantic-version.ts';

export interface Answer {
  readonly status: number;
  /** Absent: an answer without a body. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Ends a request before its handler does, with this answer. The one way to do so. */
export class EarlyAnswer extends Error {
  readonly answer: Answer;

  constructor(answer: Answer) {
    super(String(answer.status));
    this.answer = answer;
  }
}

export function refusal(status: number, code: string, words: string, headers: Record<string, string> = {}): Answer {
  return { status, body: { status: words, code }, headers };
}

export function refuse(...what: Parameters<typeof refusal>): never {
  throw new EarlyAnswer(refusal(...what));
}

/** A rule and a key of it. */
export type RuleKey = AcknowledgedRule & { readonly errorKey: string };

/** Names in a path and what is behind them. */
interface PathValues {
  /** Lower case. */
  readonly cluster: string;
  readonly requestId: string;
  /** Of OpenShift, as it was written. */
  readonly version: string;
  readonly selector: RuleKey;
  readonly rule: AcknowledgedRule;
  readonly errorKey: string;
}

export interface Call<Query = unknown, Body = unknown> {
  readonly reader: Reader;
  readonly path: PathValues;
  readonly query: Query;
  readonly body: Body;
  /** Address that it came from. */
  readonly origin: string;
}

interface RouteAnswer {
  readonly description: string;
  readonly schema?: z.ZodType;
}

export interface Route {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** Below a prefix: `/cluster/{cluster}/reports`. */
  readonly path: string;
  readonly summary: string;
  readonly query?: z.ZodObject;
  readonly body?: z.ZodType;
  /** Without one, `body` is what the schema makes of an empty object. */
  readonly mayOmitBody?: boolean;
  /** Besides those that every route has: `refusalsOf`. */
  readonly answers: Readonly<Record<number, RouteAnswer>>;
  readonly handle: (call: Call<never, never>) => Promise<Answer>;
}

/** The types of query and body follow from their schemas. */
export function route<
  Query extends z.ZodObject = z.ZodObject<Record<never, never>>,
  Body extends z.ZodType = z.ZodUndefined,
>(
  described: Omit<Route, 'query' | 'body' | 'handle'> & {
    readonly query?: Query;
    readonly body?: Body;
    readonly handle: (call: Call<z.infer<Query>, z.infer<Body>>) => Promise<Answer>;
  },
): Route {
  return described as Route;
}

const requestIdCharactersMax = 4_096;
const selectorCharactersMax = 1_024;

/** How each name of a path is read and described; undefined: it cannot be one. */
export const pathParameters: {
  readonly [Name in keyof PathValues]: {
    readonly read: (text: string) => PathValues[Name] | undefined;
    readonly words: string;
    readonly schema: z.ZodType;
    readonly example: string;
  };
} = {
  cluster: {
    read: (text) => (isUuid(text) ? text.toLowerCase() : undefined),
    words: 'a cluster is named by its UUID',
    schema: z.guid(),
    example: '34c3ecc5-624a-49a5-bab8-4fdc5e51a266',
  },
  requestId: {
    read: (text) => (text !== '' && text.length <= requestIdCharactersMax && !text.includes('\0') ? text : undefined),
    words: `a request id has 1 to ${requestIdCharactersMax} characters`,
    schema: z.string().min(1).max(requestIdCharactersMax),
    example: '6d2eede257644308a8949c4ec251c5c4',
  },
  version: {
    read: (text) => (text.length <= versionCharactersMax ? text : undefined),
    words: 'a version of OpenShift is meant, such as 4.19.3',
    schema: z
      .string()
      .regex(/^\d+\.\d+\.\d+/)
      .max(versionCharactersMax),
    example: '4.19.3',
  },
  selector: {
    read(text) {
      const rule = readRule(text);
      return rule === undefined || rule.errorKey === null ? undefined : { ...rule, errorKey: rule.errorKey };
    },
    words: 'a rule and its key are named as module|KEY',
    schema: z.string().regex(/^[^\s|.]+(\.[^\s|.]+)+\|\S+$/),
    example: 'some.python.module|ERROR_KEY',
  },
  rule: {
    read(text) {
      const rule = readRule(text);
      return rule?.errorKey === null ? rule : undefined;
    },
    words: 'a rule is named as module.report',
    schema: z.string().regex(/^[^\s|.]+(\.[^\s|.]+)+$/),
    example: 'some.python.module.report',
  },
  errorKey: {
    read: (text) =>
      /^\S+$/.test(text) && text.length <= selectorCharactersMax && !text.includes('\0') ? text : undefined,
    words: 'an error key has no blanks',
    schema: z.string().regex(/^\S+$/),
    example: 'ERROR_KEY',
  },
};

/** A selector that PostgreSQL can hold; undefined for any other text. */
export function readRule(text: string): AcknowledgedRule | undefined {
  return text.length > selectorCharactersMax || text.includes('\0') ? undefined : parseSelector(text);
}

export function parametersIn(path: string): (keyof PathValues)[] {
  return [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name as keyof PathValues);
}

const refused = (description: string): RouteAnswer => ({ description, schema: refusalSchema });

/** What any route answers besides. */
export function refusalsOf({ path, query, body }: Route): Readonly<Record<number, RouteAnswer>> {
  const takesText = parametersIn(path).length > 0 || query !== undefined || body !== undefined;
  const ofText: Record<number, RouteAnswer> = takesText ? { 400: refused('The request cannot be understood.') } : {};
  const ofBody: Record<number, RouteAnswer> =
    body === undefined ? {} : { 413: refused('The body is too large.'), 415: refused('The body is not JSON.') };
  return {
    304: { description: 'Nothing has changed since the answer whose ETag the request names.' },
    401: refused('Nobody is known by what the request brings along.'),
    421: refused('The request is for another host.'),
    503: refused('The database or the rule content is away; come again after `Retry-After` seconds.'),
    ...ofText,
    ...ofBody,
  };
}

/** A part of a list: from `limit` rows on, `meta.next` of one page is `after` of the next. */
export const pagedQuery = {
  limit: z.coerce.number().int().min(1).max(1_000).optional(),
} as const;

/** Of a page, unless the request says otherwise. */
export const pageRowsDefault = 100;

export const flag = z.enum(['true', 'false']).transform((text) => text === 'true');

/** Whose: for those who may see more than one. */
export const organizationQuery = z.coerce.number().int().min(0).max(ORGANIZATION_MAX).optional();
