/**
 * The roles of project administrators or editors grant custom builds, or more on Docker builds than everybody has (`create`).
 * Source: data-pipeline.md 7.5 (42).
 */
import { defineRule, makeFail, makeNone } from '../../../engine/rule.ts';

const roleNames = new Set(['admin', 'edit']);
const buildGroups = new Set(['', 'build.openshift.io', '*']);
/** As a role may name them: `*` covers every subresource, `*` with `/custom` this one of every resource. */
const customBuilds = new Set(['builds/custom', '*/custom', '*']);
const dockerBuilds = new Set(['builds/docker', '*/docker']);

export const configBuildStrategyIncorrect = defineRule({
  module: 'ccx_rules_ocp.external.rules.config_build_strategy_incorrect',
  errorKeys: ['CONFIG_BUILD_STRATEGY_INCORRECTLY'],
  requires: ['clusterRoles'],
  evaluate({ clusterRoles }) {
    const broad = clusterRoles.flatMap(({ name, rules }) => {
      if (!roleNames.has(name)) return [];
      const granted = rules
        .filter(({ apiGroups, verbs }) => verbs.length > 0 && apiGroups.some((group) => buildGroups.has(group)))
        .flatMap(({ resources, verbs }) => {
          const isMoreThanCreate = verbs.some((verb) => verb !== 'create');
          return resources.filter((one) => customBuilds.has(one) || (dockerBuilds.has(one) && isMoreThanCreate));
        });
      return granted.length === 0 ? [] : [{ name, resources: [...new Set(granted)].sort() }];
    });
    return broad.length === 0 ? makeNone() : makeFail('CONFIG_BUILD_STRATEGY_INCORRECTLY', { roles: broad });
  },
});
