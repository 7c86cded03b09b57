/**
 * Disabled rules from the results aggregator's database: two tables, read completely. The reference reads them and never looks at them
 * again. Source: notification-service.md 5.4; consumers.md D15.
 */

import { TABLE_CLUSTER_RULE_TOGGLE, TABLE_RULE_DISABLE } from '../../contracts/tables.ts';
import { CcxError } from '../../encoding/ccx-error.ts';
import type { Database, Queryable } from '../../platform/database/database.ts';
import { collectDisabledRules, type DisabledRow } from './decide/disabled-rules.ts';
import type { DisabledRulesSource } from './ports.ts';

/** Rejects with code `DISABLED_RULES_UNAVAILABLE`. The database is the caller's to close. */
export function createDisabledRulesDatabase(database: Database): DisabledRulesSource {
  return {
    async load() {
      try {
        return await database.transaction(readBoth, { isolation: 'repeatable read', readOnly: true });
      } catch (cause) {
        throw disabledRulesUnavailable(cause);
      }
    },
  };
}

export function disabledRulesUnavailable(cause: unknown): CcxError {
  return new CcxError('the disabled rules cannot be read from the aggregator database', {
    code: 'DISABLED_RULES_UNAVAILABLE',
    category: 'storage',
    retryable: true,
    cause,
    hint: 'check the section aggregator_storage (aggregator_storage.pg_host and its neighbours), or notify without them: --ignore-disabled-rules (disabled_rules.ignore)',
  });
}

async function readBoth(queryable: Queryable) {
  const ofClusters = await queryable.query<DisabledRow>(
    `SELECT cluster_id::text AS scope, rule_id::text AS rule, error_key::text AS "errorKey" FROM ${TABLE_CLUSTER_RULE_TOGGLE} WHERE disabled = 1`,
  );
  const ofOrganizations = await queryable.query<DisabledRow>(
    `SELECT org_id::text AS scope, rule_id::text AS rule, error_key::text AS "errorKey" FROM ${TABLE_RULE_DISABLE}`,
  );
  return collectDisabledRules(ofClusters.rows, ofOrganizations.rows);
}
