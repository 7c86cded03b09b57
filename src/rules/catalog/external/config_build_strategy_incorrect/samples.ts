/** Clusters whose roles of projects grant custom builds and do not. */
import type { JsonValue } from '../../../../encoding/json-text.ts';
import { chain, type Edit, type RuleSamples, withElements, withFile, withValue } from '../../sample.ts';
import { configBuildStrategyIncorrect } from './rule.ts';

const file = (name: string) => `cluster-scoped-resources/rbac.authorization.k8s.io/clusterroles/${name}.json`;
const group = 'build.openshift.io';
const granting = (
  role: string,
  resources: JsonValue,
  verbs: JsonValue = ['create'],
  apiGroups: JsonValue = ['', group],
): Edit => withElements(file(role), ['rules'], { verbs, apiGroups, resources });

export const samples: RuleSamples = {
  rule: configBuildStrategyIncorrect,
  fires: {
    CONFIG_BUILD_STRATEGY_INCORRECTLY: [
      {
        title: 'editors who may run custom builds',
        edit: granting('edit', ['builds/source', 'builds/custom']),
        details: { roles: [{ name: 'edit', resources: ['builds/custom'] }] },
      },
      {
        title: 'any way to say so, each told once, in both roles',
        edit: chain(
          granting('admin', ['*/custom', 'builds/custom'], ['update'], ['*']),
          granting('admin', ['builds/custom'], ['*']),
          granting('edit', ['*'], ['*'], [group]),
        ),
        details: {
          roles: [
            { name: 'admin', resources: ['*/custom', 'builds/custom'] },
            { name: 'edit', resources: ['*'] },
          ],
        },
      },
      {
        title: 'more than everybody has on Docker builds',
        edit: granting('admin', ['builds/docker'], ['create', 'delete']),
        details: { roles: [{ name: 'admin', resources: ['builds/docker'] }] },
      },
    ],
  },
  silent: [
    { title: 'what everybody has', edit: granting('edit', ['builds/docker', 'builds/source'], ['create']) },
    {
      title: 'a resource of the same name in another group',
      edit: granting('edit', ['builds/custom'], ['create'], ['ci']),
    },
    { title: 'a rule without a verb', edit: granting('edit', ['builds/custom'], []) },
    {
      title: 'another role',
      edit: withFile(file('builders'), {
        metadata: { name: 'builders' },
        rules: [{ verbs: ['create'], apiGroups: [group], resources: ['builds/custom'] }],
      }),
    },
    {
      title: 'rules that are none',
      edit: chain(
        granting('admin', 'builds/custom'),
        granting('admin', [7, null, ['builds/custom']]),
        granting('edit', ['builds/custom'], 'create'),
        granting('edit', ['builds/custom'], ['create'], group),
        withElements(file('edit'), ['rules'], null, 'builds/custom'),
        withValue(file('admin'), ['rules', 'x'], 'y'),
      ),
    },
  ],
};
