/** Archives of made-up clusters as large as a real one's, each with findings that both targets are told about. */
import { type SimulatedCluster, simulateCluster } from '../../src/tools/cluster-simulator/simulate-cluster.ts';

/** Different rules and risks, as in the demonstration. */
export const benchFindings = ['CONTROL_PLANE_NODE_REPLICAS', 'OPERATOR_UNMANAGED', 'MCP_SET_TO_PAUSE'];

export function typicalCluster(seed: string, now: Date): SimulatedCluster {
  return simulateCluster({ seed, now, findings: benchFindings, size: 'typical' });
}
