/**
 * Asks an accounts service whose a cluster's token is, for tokens that our own table does not know, as the hosted gateway does:
 * `GET <url>` with `Authorization: AccessToken <cluster>:<token>`, answered by `{"organization":{"external_id":"1","ebs_account_id":"1"}}`
 * for a token that is this cluster's, by 4xx for any other. Opened by the gateway. Source: ingress.md C.2.
 *
 * Anybody may send tokens that nobody knows: questions are few at once, and answers to bad ones cannot displace those to good ones.
 */
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { parseOrgId } from '../../contracts/identifiers.ts';
import { CcxError, configInvalid } from '../../encoding/ccx-error.ts';
import type { Clock } from '../clock/clock.ts';
import { callHttp, type HttpAnswer } from '../http/http-client.ts';
import { isLoopback } from './locality.ts';
import { hashToken, type TokenOwner } from './token-file.ts';

/** As the hosted proxy keeps them: for so long a token that was taken away there is still good here. */
const goodAnswerKeptMs = 2 * 3_600_000;
/** A cluster that was just registered is let in a minute later. */
const badAnswerKeptMs = 60_000;
/** Some 400 bytes each, 100,000 in all. */
const goodAnswersMax = 90_000;
const badAnswersMax = 10_000;
const questionsAtOnceMax = 8;
/** Asked or waiting; with five seconds each nobody waits longer than the operator does, which is a minute. */
const openQuestionsMax = 32;
const openQuestionsOfTokenMax = 4;
const questionMsMax = 5_000;
const answerBytesMax = 64 * 1024;

export interface AccountsEvents {
  /** Of each question: `failed` for no answer, or none that can be used; `busy` for one that was not asked. */
  readonly onAsked: (outcome: 'good' | 'bad' | 'failed' | 'busy') => void;
  /** Once, until it answers again. */
  readonly onAway: (error: unknown) => void;
  readonly onBack: () => void;
}

interface AccountsOptions {
  readonly url: string;
  /** PEM; empty: what everybody trusts. Read for each question, so that it may be replaced. */
  readonly caFile: string;
  readonly clock: Pick<Clock, 'monotonicMs'>;
  readonly events: AccountsEvents;
}

const answerSchema = z.object({
  organization: z.object({
    external_id: z.string().refine((text) => parseOrgId(text) !== undefined),
    ebs_account_id: z.string().nullish(),
  }),
});

/** Codes: `CONFIG_INVALID` for an address that would show tokens to others, `ACCOUNTS_CA_UNREADABLE`. The service may be away. */
export async function openAccountsService(options: AccountsOptions): Promise<AccountsService> {
  const url = URL.parse(options.url);
  const isPrivate = url?.protocol === 'https:' || (url?.protocol === 'http:' && isLoopback(url.hostname));
  if (!isPrivate)
    throw configInvalid(
      `gateway.accounts_url is no address to send tokens to: ${url?.origin ?? 'it is no URL'}`,
      'give an https:// address; http:// only on this machine',
    );
  await readAuthority(options.caFile);
  return new AccountsService(options);
}

export class AccountsService {
  readonly #options: AccountsOptions;
  /** By cluster and token: what a token is for one cluster says nothing about another. */
  readonly #good: KeptAnswers<TokenOwner>;
  readonly #bad: KeptAnswers<undefined>;
  readonly #questions = new Map<string, Promise<TokenOwner | undefined>>();
  /** The last question of each token that is open, by its hash, and how many there are. */
  readonly #ofToken = new Map<string, { last: Promise<unknown>; count: number }>();
  readonly #waiting: (() => void)[] = [];
  #asked = 0;
  #away = false;

  constructor(options: AccountsOptions) {
    this.#options = options;
    this.#good = new KeptAnswers({ keptMs: goodAnswerKeptMs, countMax: goodAnswersMax, clock: options.clock });
    this.#bad = new KeptAnswers({ keptMs: badAnswerKeptMs, countMax: badAnswersMax, clock: options.clock });
  }

  /**
   * Whose the token is, which is bound to the cluster then; undefined: not this cluster's, or nobody's. Rejects with
   * `ACCOUNTS_UNAVAILABLE`, `ACCOUNTS_BUSY`, both retryable.
   */
  async find(token: string, cluster: string): Promise<TokenOwner | undefined> {
    const sha256 = hashToken(token);
    const key = `${cluster}:${sha256}`;
    const good = this.#good.get(key);
    if (good !== undefined) return good.answer;
    if (this.#bad.get(key) !== undefined) return undefined;
    const open = this.#questions.get(key);
    if (open !== undefined) return await open;

    const before = this.#ofToken.get(sha256);
    if (this.#questions.size >= openQuestionsMax || (before?.count ?? 0) >= openQuestionsOfTokenMax) {
      this.#options.events.onAsked('busy');
      throw busy();
    }
    const question = this.#askInTurn({ token, cluster, sha256, key }, before?.last);
    this.#questions.set(key, question);
    this.#ofToken.set(sha256, { last: question.catch(() => undefined), count: (before?.count ?? 0) + 1 });
    try {
      return await question;
    } finally {
      this.#questions.delete(key);
      const of = this.#ofToken.get(sha256)!;
      if (of.count === 1) this.#ofToken.delete(sha256);
      else of.count -= 1;
    }
  }

  /** One sentence while it is away, for people. */
  trouble(): string | undefined {
    return this.#away ? 'the accounts service does not answer: tokens that are not known have to wait' : undefined;
  }

  async #askInTurn(question: Question, before: Promise<unknown> | undefined): Promise<TokenOwner | undefined> {
    await before;
    if (this.#asked >= questionsAtOnceMax) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#asked += 1;
    try {
      return await this.#ask(question);
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#asked -= 1;
      else next();
    }
  }

  async #ask({ token, cluster, sha256, key }: Question): Promise<TokenOwner | undefined> {
    const { url, caFile, events } = this.#options;
    try {
      const ca = await readAuthority(caFile);
      const answer = await callHttp(url, {
        headers: { authorization: `AccessToken ${cluster}:${token}`, accept: 'application/json' },
        deadlineMs: questionMsMax,
        answerBytesMax,
        ...(ca === undefined ? {} : { tls: { ca } }),
      });
      const account = readAnswer(answer);
      if (this.#away) events.onBack();
      this.#away = false;
      events.onAsked(account === undefined ? 'bad' : 'good');
      if (account === undefined) {
        this.#bad.keep(key, undefined);
        return undefined;
      }
      const owner: TokenOwner = { ...account, sha256, clusterId: cluster, scopes: ['cluster'], name: '' };
      this.#good.keep(key, owner);
      return owner;
    } catch (cause) {
      const error = unavailable(cause);
      if (!this.#away) events.onAway(error);
      this.#away = true;
      events.onAsked('failed');
      throw error;
    }
  }
}

interface Question {
  readonly token: string;
  readonly cluster: string;
  readonly sha256: string;
  readonly key: string;
}

interface KeptOptions {
  readonly keptMs: number;
  readonly countMax: number;
  readonly clock: Pick<Clock, 'monotonicMs'>;
}

/** The oldest goes first; all are kept for as long, so that it is also the one that ends first. */
export class KeptAnswers<Answer> {
  readonly #options: KeptOptions;
  readonly #kept = new Map<string, { readonly answer: Answer; readonly untilMs: number }>();

  constructor(options: KeptOptions) {
    this.#options = options;
  }

  get(key: string): { readonly answer: Answer } | undefined {
    const kept = this.#kept.get(key);
    if (kept === undefined || kept.untilMs > this.#options.clock.monotonicMs()) return kept;
    this.#kept.delete(key);
    return undefined;
  }

  keep(key: string, answer: Answer): void {
    const { keptMs, countMax, clock } = this.#options;
    this.#kept.delete(key);
    this.#kept.set(key, { answer, untilMs: clock.monotonicMs() + keptMs });
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > countMax) this.#kept.delete(oldest!);
  }
}

/** Undefined: the token is not this cluster's. Throws for an answer that says neither. */
function readAnswer({ status, body }: HttpAnswer): Pick<TokenOwner, 'orgId' | 'accountNumber'> | undefined {
  if ([400, 401, 403, 404].includes(status)) return undefined;
  if (status !== 200) throw unusable(`it answered with status ${status}`);
  let document: unknown;
  try {
    document = JSON.parse(body.toString('utf8'));
  } catch {
    throw unusable('its answer is not JSON');
  }
  const parsed = answerSchema.safeParse(document);
  if (!parsed.success) throw unusable('its answer names no organization (organization.external_id: a number as text)');
  const { external_id: orgId, ebs_account_id: account } = parsed.data.organization;
  return { orgId, accountNumber: /^[0-9]{1,10}$/.test(account ?? '') ? account! : '' };
}

async function readAuthority(caFile: string): Promise<string | undefined> {
  if (caFile === '') return undefined;
  try {
    return await readFile(caFile, 'utf8');
  } catch (cause) {
    throw new CcxError(`the file ${caFile} cannot be read`, {
      code: 'ACCOUNTS_CA_UNREADABLE',
      category: 'configuration',
      cause,
      hint: 'check gateway.accounts_ca_file',
    });
  }
}

function unusable(why: string): CcxError {
  return new CcxError(why, { code: 'ACCOUNTS_ANSWER', category: 'connection', retryable: true });
}

function unavailable(cause: unknown): CcxError {
  return new CcxError('whose an unknown token is cannot be asked', {
    code: 'ACCOUNTS_UNAVAILABLE',
    category: 'connection',
    retryable: true,
    cause,
    hint: 'check gateway.accounts_url and gateway.accounts_ca_file, and that the accounts service answers',
  });
}

function busy(): CcxError {
  return new CcxError('too many unknown tokens are asked about at once', {
    code: 'ACCOUNTS_BUSY',
    category: 'limit',
    retryable: true,
  });
}
