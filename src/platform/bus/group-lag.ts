/** Whether a consumer group has acknowledged everything that is there; half of what "idle" means for a service. */
import type { Bus } from './bus.ts';

export async function hasReadEverything(bus: Bus, groupId: string, topics: readonly string[]): Promise<boolean> {
  const partitions = await bus.admin.lag(groupId, topics);
  return partitions.every(({ committed, start, end }) => (committed ?? start) >= end);
}
