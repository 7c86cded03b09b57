/** The paths that the content service answers. Everything is prepared before the first request; nothing here can fail. Source: data-pipeline.md 8.4. */

import { basename } from 'node:path';
import type { FastifyInstance, FastifyReply } from 'fastify';
import type { RuleStatus } from '../../rules/content/load-content.ts';
import type { RuleGroup } from '../../rules/content/rule-groups.ts';
import { RULES_VERSION } from '../../rules/engine/rule.ts';
import type { ContentServiceSettings } from './config.ts';

/** What the hosted service says of values that its build was not given. */
const notSet = '*not set*';
const buildInfo = {
  BuildVersion: RULES_VERSION,
  BuildTime: notSet,
  BuildBranch: notSet,
  BuildCommit: notSet,
  UtilsVersion: notSet,
  OCPRulesVersion: `ccx-notifications-${RULES_VERSION}`,
};

export function addContentRoutes(
  app: FastifyInstance,
  { apiPrefix: prefix, specFile }: ContentServiceSettings,
  answers: {
    readonly contentGob: Buffer;
    readonly contentJson: string;
    readonly groups: readonly RuleGroup[];
    readonly status: Readonly<Record<string, RuleStatus>>;
    readonly openApi: string;
    /** Prometheus text. */
    readonly metrics: () => Promise<string>;
  },
): void {
  app.get(prefix, () => ({ status: 'ok' }));
  app.get(`${prefix}groups`, () => ({ groups: answers.groups, status: 'ok' }));
  app.get(`${prefix}content`, (request, reply) => {
    if (queryOf(request.query).get('format') === 'json') return sendJson(reply, answers.contentJson);
    return reply.type('application/octet-stream').send(answers.contentGob);
  });
  app.get(`${prefix}status`, (request) => ({
    rules: filteredStatus(answers.status, queryOf(request.query)),
    status: 'ok',
  }));
  app.get(`${prefix}info`, () => ({ info: buildInfo, status: 'ok' }));
  // The second is the renderer's.
  for (const path of new Set([`${prefix}metrics`, '/metrics'])) {
    app.get(path, async (_request, reply) =>
      reply.type('text/plain; version=0.0.4; charset=utf-8').send(await answers.metrics()),
    );
  }
  app.get(`${prefix}${basename(specFile)}`, (_request, reply) => sendJson(reply, answers.openApi));
}

function sendJson(reply: FastifyReply, text: string): FastifyReply {
  return reply.type('application/json; charset=utf-8').send(text);
}

/** Repeated parameters arrive as a list. */
function queryOf(query: unknown): URLSearchParams {
  const pairs = Object.entries(query as Record<string, string | string[]>).flatMap(([name, value]) =>
    [value].flat().map((one): [string, string] => [name, one]),
  );
  return new URLSearchParams(pairs);
}

/** A rule is listed when any of the filters given wants it; all are without a filter. Values of `external` and `internal` do not matter. */
function filteredStatus(
  status: Readonly<Record<string, RuleStatus>>,
  query: URLSearchParams,
): Record<string, RuleStatus> {
  const names = query.getAll('rule');
  if (!query.has('external') && !query.has('internal') && names.length === 0) return status;
  return Object.fromEntries(
    Object.entries(status).filter(([name, { type }]) => query.has(type) || names.includes(name)),
  );
}
