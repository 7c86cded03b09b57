/**
 * Stores positions of a group member, through coordinators that move and rebalances that come in between, but never for a partition that
 * changed hands. Called by `consumer.ts` only.
 */
import { CcxError } from '../../../encoding/ccx-error.ts';
import { pause } from '../../clock/deadline.ts';
import type { Position, TopicPartition } from '../bus.ts';
import { unreachable } from '../bus-errors.ts';
import type { GroupSession } from './group-session.ts';
import { groupFailed, topicFailed } from './kafka-errors.ts';
import { pauseBefore } from './limits.ts';
import { apis, codes } from './protocol.ts';

interface CommitEntry {
  readonly position: Position;
  /** Whether the assignment that handed the records out still stands. */
  readonly isMine: () => boolean;
}

/** Every coordinator that moves and every rebalance in between. */
const commitMsMax = 30_000;

const membershipDoubted: ReadonlySet<number> = new Set([
  codes.ILLEGAL_GENERATION,
  codes.UNKNOWN_MEMBER_ID,
  codes.REBALANCE_IN_PROGRESS,
  codes.FENCED_INSTANCE_ID,
]);
const coordinatorMoved: ReadonlySet<number> = new Set([
  codes.NOT_COORDINATOR,
  codes.COORDINATOR_NOT_AVAILABLE,
  codes.COORDINATOR_LOAD_IN_PROGRESS,
]);

/** Answers with the partitions that were refused; all others are stored when it resolves. Rejects when that stays unknown. */
export async function commitOffsets(
  session: GroupSession,
  entries: readonly CommitEntry[],
  signal: AbortSignal,
): Promise<readonly TopicPartition[]> {
  const { clock } = session.options;
  const deadlineMs = clock.monotonicMs() + commitMsMax;
  const refused: TopicPartition[] = [];
  let left = entries;
  for (let attempt = 0; ; attempt += 1) {
    refused.push(...left.filter((entry) => !entry.isMine()).map((entry) => entry.position));
    left = left.filter((entry) => entry.isMine());
    if (left.length === 0) return refused;
    let failure: CcxError;
    try {
      const outcome = await tryOnce(session, left);
      refused.push(...outcome.gone);
      left = outcome.left;
      if (left.length === 0) return refused;
      failure = outcome.failure ?? unreachable('positions could not be stored in time');
      if (outcome.doubted) {
        // The rebalance decides what is still ours; until then there is nothing to try.
        session.doubt();
        await session.changed(Math.max(0, deadlineMs - clock.monotonicMs()), signal);
        if (signal.aborted) throw failure;
        if (clock.monotonicMs() < deadlineMs) continue;
      }
    } catch (error) {
      if (!(error instanceof CcxError)) throw error;
      failure = error;
      session.forgetCoordinator();
    }
    const pauseMs = pauseBefore(attempt, clock);
    if (!failure.retryable || signal.aborted || clock.monotonicMs() + pauseMs >= deadlineMs) throw failure;
    await pause(clock, pauseMs, signal);
  }
}

interface Outcome {
  /** Not stored yet. */
  readonly left: readonly CommitEntry[];
  /** Of topics that do not exist any more. */
  readonly gone: readonly TopicPartition[];
  readonly doubted: boolean;
  readonly failure: CcxError | undefined;
}

async function tryOnce(session: GroupSession, entries: readonly CommitEntry[]): Promise<Outcome> {
  const { cluster, groupId } = session.options;
  const membership = session.membership;
  // Between two memberships: whoever joins again decides what is still ours.
  if (membership === undefined) return { left: entries, gone: [], doubted: true, failure: undefined };
  const topics = Map.groupBy(entries, ({ position }) => position.topic);
  const answer = await cluster.request(membership.coordinator, apis.offsetCommit, [
    groupId,
    membership.generation,
    membership.memberId,
    null,
    [...topics].map(([name, ofTopic]) => ({
      name,
      partitions: ofTopic.map(({ position }) => ({
        partitionIndex: position.partition,
        committedOffset: position.offset,
        committedLeaderEpoch: -1,
        committedMetadata: null,
      })),
    })),
  ]);
  const left: CommitEntry[] = [];
  const gone: TopicPartition[] = [];
  let doubted = false;
  let failure: CcxError | undefined;
  for (const { name, partitions } of answer.topics) {
    for (const { partitionIndex, errorCode } of partitions) {
      if (errorCode === codes.NONE) continue;
      const entry = topics.get(name)?.find(({ position }) => position.partition === partitionIndex);
      if (entry === undefined) continue;
      if (errorCode === codes.UNKNOWN_TOPIC_OR_PARTITION) {
        gone.push(entry.position);
        continue;
      }
      left.push(entry);
      if (membershipDoubted.has(errorCode)) doubted = true;
      else if (coordinatorMoved.has(errorCode)) throw groupFailed(errorCode, groupId);
      else
        failure =
          errorCode === codes.GROUP_AUTHORIZATION_FAILED
            ? groupFailed(errorCode, groupId)
            : topicFailed(errorCode, name);
    }
  }
  return { left, gone, doubted, failure };
}
