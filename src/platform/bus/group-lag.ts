/** Whether a consumer group has acknowledged everything that is there; half of what "idle" means for a service. */
import type { Bus } from './bus.ts';

/** A group that starts at the latest record and has acknowledged none has nothing to read of what was there before. */
export async function hasReadEverything(
  bus: Bus,
  groupId: string,
  topics: readonly string[],
  startAt: 'earliest' | 'latest' = 'earliest',
): Promise<boolean> {
  const partitions = await bus.admin.lag(groupId, topics);
  return partitions.every(({ committed, start, end }) =>
    committed === null ? startAt === 'latest' || start >= end : committed >= end,
  );
}
