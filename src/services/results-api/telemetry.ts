/** What happens in the results API: its log lines and metrics. */
import { Counter, Gauge, Histogram } from 'prom-client';
import { CcxError, errorFields } from '../../encoding/ccx-error.ts';
import type { Telemetry } from '../../platform/telemetry/telemetry.ts';
import { type MissingRole, wordsOfMissing } from './decide/kept.ts';

export type ResultsEvents = ReturnType<typeof createResultsEvents>;

export function createResultsEvents({ log, registry, announce }: Telemetry) {
  const registers = [registry];
  const answered = new Counter({
    name: 'ccx_results_answers_total',
    help: 'Answers, by route and status',
    labelNames: ['route', 'status'],
    registers,
  });
  const seconds = new Histogram({
    name: 'ccx_results_answer_seconds',
    help: 'Time from a request to the end of its answer, by route',
    labelNames: ['route'],
    buckets: [0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5],
    registers,
  });
  const refusedConnections = new Counter({
    name: 'ccx_results_refused_connections_total',
    help: 'Requests that there was no room for',
    registers,
  });
  const refusedHosts = new Counter({
    name: 'ccx_results_refused_hosts_total',
    help: 'Requests for a host that this is not',
    registers,
  });
  const contentAge = new Gauge({
    name: 'ccx_results_content_age_seconds',
    help: 'Age of the rule content in use where it could not be renewed; 0 while it can',
    registers,
  });
  const questions = new Counter({
    name: 'ccx_results_account_questions_total',
    help: 'Questions to the accounts service about tokens that nobody here knows: good, bad, failed, or busy where too many were open',
    labelNames: ['outcome'],
    registers,
  });
  let inFlight = 0;
  return {
    requestTaken(): void {
      inFlight += 1;
    },
    requestAnswered(route: string, status: number, elapsedMs: number): void {
      inFlight -= 1;
      answered.inc({ route, status: String(status) });
      seconds.observe({ route }, elapsedMs / 1_000);
      announce('request-answered', { route, status });
    },
    inFlight: (): number => inFlight,
    requestFailed(route: string, error: unknown): void {
      const hint = error instanceof CcxError ? error.hint : undefined;
      log.error({ route, ...errorFields(error), hint }, 'a request could not be answered');
    },
    connectionRefused(): void {
      refusedConnections.inc();
    },
    hostRefused(): void {
      refusedHosts.inc();
    },
    packsBroken(error: CcxError): void {
      log.error({ ...errorFields(error), hint: error.hint }, 'a change of the rule packs is not in force');
    },
    contentFailed(error: unknown, ageMs: number | undefined): void {
      contentAge.set((ageMs ?? 0) / 1_000);
      log.warn(
        { ...errorFields(error), ageMs },
        ageMs === undefined ? 'there is no rule content' : 'the rule content cannot be renewed, the last one stays',
      );
    },
    contentLoaded(rules: number): void {
      contentAge.set(0);
      log.info({ rules }, 'rule content loaded');
    },
    /** Once at the start, and when it changes. */
    rolesMissing(missing: readonly MissingRole[]): void {
      if (missing.length === 0) log.info('all that is asked for is kept in this database');
      else log.warn({ missing, why: missing.map(wordsOfMissing) }, 'not everything is kept in this database');
    },
    tokensLoaded(count: number): void {
      log.info({ tokens: count }, 'tokens loaded');
    },
    tokensNotReloaded(error: unknown): void {
      log.error(errorFields(error), 'the token file cannot be read again, the last one stays');
    },
    accountAsked(outcome: 'good' | 'bad' | 'failed' | 'busy'): void {
      questions.inc({ outcome });
    },
    accountsAway(error: unknown): void {
      log.warn(
        errorFields(error),
        'the accounts service cannot be asked: who brings a token that is not known yet is answered 503',
      );
    },
    accountsBack(): void {
      log.info('the accounts service answers again');
    },
    warned(warning: string): void {
      log.warn(warning);
    },
    started(url: string): void {
      log.info({ url }, 'serving results');
    },
  };
}
