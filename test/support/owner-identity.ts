/** The identity that a gateway makes of a cluster of organization 1, for uploads that come by `x-rh-identity`. */
import type { Identity } from '../../src/contracts/identity.ts';

export function identityOf(cluster: string | undefined): Identity {
  return {
    identity: {
      account_number: '1',
      org_id: '1',
      type: 'System',
      internal: { org_id: '1' },
      ...(cluster === undefined ? {} : { system: { cluster_id: cluster } }),
    },
  };
}
