/**
 * What the Insights Operator asks besides reports: what to gather, whether the cluster changes hands, and its entitlements. The latter two are
 * the vendor's business, and are answered so that the operator takes it for no fault. Mounted by `service.ts`. Source: ingress.md B.1, B.5.
 */
import { refusalSchema } from '../../../contracts/results-api.ts';
import type { RouteTable } from '../web/openapi.ts';
import { type Route, refusal, refuse, route } from '../web/route.ts';
import { gatheringDocumentSchema, oldGatheringDocumentSchema } from './gathering-document.ts';
import type { GatheringRules } from './gathering-rules.ts';

export function gatheringTables(rules: GatheringRules): readonly RouteTable[] {
  return [
    { prefix: '/api/gathering', routes: gatheringRoutes(rules) },
    {
      prefix: '/api/accounts_mgmt/v1',
      routes: [transfers(''), transfers('/'), entitlements('GET'), entitlements('POST')],
    },
  ];
}

function gatheringRoutes(rules: GatheringRules): readonly Route[] {
  return [
    route({
      method: 'GET',
      path: '/v2/{version}/gathering_rules',
      summary: 'What an operator of this version of OpenShift is to gather besides what it always does',
      answers: {
        200: { description: 'Rules and log requests.', schema: gatheringDocumentSchema },
        404: { description: 'The version is older than any document is for.', schema: refusalSchema },
      },
      async handle({ path: { version } }) {
        const choice = rules.choose(version);
        switch (choice.kind) {
          case 'document':
            return { status: 200, body: choice.document };
          case 'no-version':
            return refuse(400, 'VERSION_INVALID', 'a version of OpenShift is meant, such as 4.19.3');
          case 'too-old':
            return refuse(404, 'VERSION_TOO_OLD', `there are rules from version ${choice.oldest} on`);
        }
      },
    }),
    ...['/v1', ''].map((version) =>
      route({
        method: 'GET',
        path: `${version}/gathering_rules`,
        summary: 'The same for operators before OpenShift 4.17, which know rules alone',
        answers: { 200: { description: 'The rules of the first document.', schema: oldGatheringDocumentSchema } },
        async handle() {
          const { version: of, conditional_gathering_rules } = rules.oldest;
          return { status: 200, body: { version: of, rules: conditional_gathering_rules } };
        },
      }),
    ),
  ];
}

/** The operator's default has a slash at its end. */
function transfers(end: '' | '/'): Route {
  return route({
    method: 'GET',
    path: `/cluster_transfers${end}`,
    summary: 'Whether the cluster goes over to another account',
    answers: { 204: { description: 'It does not: nobody can say so here.' } },
    async handle() {
      return { status: 204 };
    },
  });
}

function entitlements(method: 'GET' | 'POST'): Route {
  return route({
    method,
    path: '/entitlement_certificates',
    summary: 'Entitlement certificates of Simple Content Access',
    answers: { 404: { description: 'There are none here.', schema: refusalSchema } },
    async handle() {
      const hint =
        'only the vendor issues them; sca.disabled of the ConfigMap insights-config keeps the operator from asking';
      return refusal(404, 'ENTITLEMENTS_NOT_HERE', `there are no entitlement certificates here: ${hint}`);
    },
  });
}
