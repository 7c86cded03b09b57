/** The cluster that an operator's User-Agent names. Source: ingress.md C.2. */
import { isUuid } from '../../../contracts/identifiers.ts';

const operators = [
  'insights-operator/',
  'cost-mgmt-operator/',
  'marketplace-operator/',
  'acm-operator/',
  'assisted-installer-operator/',
  'cryostat-operator/',
  'openshift-lightspeed-operator/',
  'jws-operator/',
  'runtimes-inventory-operator/',
] as const;

/** `insights-operator/4.19.0-abc cluster/<uuid>` → the id, lower case; undefined for everything else. */
export function clusterOfUserAgent(userAgent: string): string | undefined {
  const prefix = operators.find((operator) => userAgent.startsWith(operator));
  if (prefix === undefined) return undefined;
  const match = /^\S+ cluster\/(\S+)$/.exec(userAgent.slice(prefix.length));
  const cluster = match?.[1]?.toLowerCase();
  return cluster !== undefined && isUuid(cluster) ? cluster : undefined;
}
