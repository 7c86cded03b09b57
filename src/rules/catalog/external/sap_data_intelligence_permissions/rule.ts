/** A namespace of SAP Data Intelligence may not use the security context constraints that its pods need. Source: data-pipeline.md 7.5 (27). */
import { SAP_CONSTRAINTS } from '../../../engine/facts/sap.ts';
import { defineRule, makeFail, makeNone } from '../../../engine/rule.ts';

export const sapDataIntelligencePermissions = defineRule({
  module: 'ccx_rules_ocp.external.rules.sap_data_intelligence_permissions',
  errorKeys: ['SAP_DATA_INTELLIGENCE_PERMISSIONS'],
  requires: ['sapDataHubs', 'sapGrants'],
  // A binding that cannot be read may be the one that grants it.
  requiresWhole: ['sapGrants'],
  links: { kcs: ['https://access.redhat.com/articles/5100521'] },
  evaluate({ sapDataHubs, sapGrants }) {
    const namespaces = [...new Set(sapDataHubs.map(({ namespace }) => namespace))];
    const missing = namespaces.flatMap((namespace) =>
      SAP_CONSTRAINTS.filter((constraint) => {
        const granted = sapGrants[constraint];
        return granted !== undefined && !isGranted(granted, namespace);
      }).map((constraint) => ({ namespace, constraint })),
    );
    if (missing.length === 0) return makeNone();
    return makeFail('SAP_DATA_INTELLIGENCE_PERMISSIONS', {
      sdi_namespaces: [...new Set(missing.map(({ namespace }) => namespace))],
      missing: missing.map(({ namespace, constraint }) => `${namespace}: ${constraint}`),
    });
  },
});

/** To all service accounts of the namespace, or to any of them: which ones need it depends on the version of the product. */
function isGranted(granted: ReadonlySet<string>, namespace: string): boolean {
  if (granted.has(`system:serviceaccounts:${namespace}`)) return true;
  const prefix = `system:serviceaccount:${namespace}:`;
  return [...granted].some((name) => name.startsWith(prefix));
}
