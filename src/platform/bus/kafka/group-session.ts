/**
 * One member of a Kafka consumer group: join, synchronise, heartbeat, and again when the group changes. It knows memberships and
 * assignments, not records; `consumer.ts` listens.
 *
 * Not the client library's consumer: that one joins again by itself inside a commit and then commits the old position under the new
 * generation, so a member that was put out can move a group's position back, and it gives up for good when a rejoin fails.
 */
import { CcxError } from '../../../encoding/ccx-error.ts';
import type { Clock } from '../../clock/clock.ts';
import { pause, within } from '../../clock/deadline.ts';
import type { TopicPartition } from '../bus.ts';
import type { KafkaCluster, TopicInfo } from './cluster.ts';
import {
  assignors,
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
  type GroupMember,
} from './consumer-protocol.ts';
import { groupFailed } from './kafka-errors.ts';
import { answerMarginMs, pauseBefore, rebalanceMsMax } from './limits.ts';
import { apis, codes } from './protocol.ts';

const heartbeatsPerSession = 3;
/** Leaving a group in good order; past it the session ends by itself. */
const leaveMsMax = 3_000;

interface Membership {
  readonly memberId: string;
  readonly generation: number;
  readonly coordinator: number;
}

interface GroupSessionListener {
  /**
   * A rebalance ended. `continuous`: this member was in every generation since the last call, so what it owned before and owns now was
   * nobody else's in between.
   */
  onAssigned(partitions: readonly TopicPartition[], continuous: boolean): void;
  /** This member is out of the group, or has not been heard for a session: others own its partitions. */
  onLost(): void;
  /** A try failed; the session goes on trying. Undefined: it works again. */
  onTrouble(error: CcxError | undefined): void;
}

interface GroupSessionOptions {
  readonly cluster: KafkaCluster;
  readonly clock: Clock;
  readonly groupId: string;
  readonly topics: readonly string[];
  readonly sessionMs: number;
  readonly listener: GroupSessionListener;
}

/** What a heartbeat or a step of joining asks for next. */
type Next = 'go-on' | 'rejoin' | 'find-coordinator';

export class GroupSession {
  readonly options: GroupSessionOptions;
  readonly #closing = new AbortController();
  #memberId = '';
  #coordinator: number | undefined;
  #membership: Membership | undefined;
  #joining = false;
  #isLeader = false;
  #leaseUntilMs = 0;
  /** Generation of the last assignment that the listener was told, while membership was never interrupted. */
  #lastGeneration: number | undefined;
  /** What the topics looked like when the group was joined; a change asks for a new assignment. */
  #topicsSeen = '';
  #beat: AbortController | undefined;
  #rejoinWanted = false;
  /** Resolved and replaced whenever membership changes. */
  #change = Promise.withResolvers<void>();
  #running: Promise<void> | undefined;

  constructor(options: GroupSessionOptions) {
    this.options = options;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Undefined before the first join and after the place in the group was lost; the old one while a rebalance is under way. */
  get membership(): Membership | undefined {
    return this.#membership;
  }

  /** Whether this member shares the partitions out among the others, in the generation that was joined last. */
  get isLeader(): boolean {
    return this.#isLeader;
  }

  /** Whether records may be handed out: not during a rebalance, whose outcome may give their partitions to others. */
  isSettled(): boolean {
    return !this.#joining && this.leaseHolds();
  }

  /** Whether the group still counts on this member, by our own clock. */
  leaseHolds(): boolean {
    return this.#membership !== undefined && this.options.clock.monotonicMs() < this.#leaseUntilMs;
  }

  /** Somebody doubts the membership: a commit was refused, or a topic changed. Asks the group now and not at the next heartbeat. */
  doubt(options: { readonly rejoin?: boolean } = {}): void {
    if (options.rejoin === true) this.#rejoinWanted = true;
    this.#beat?.abort();
  }

  /** The coordinator moved; the next request looks for it. */
  forgetCoordinator(): void {
    this.#coordinator = undefined;
    this.doubt();
  }

  /** Resolves at the next change of membership, after `msMax`, or when the signal aborts. */
  async changed(msMax: number, signal: AbortSignal): Promise<void> {
    await within(this.#change.promise, { clock: this.options.clock, ms: msMax, signal }, () => undefined);
  }

  /** Leaves the group, in bounded time. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.#beat?.abort();
    const memberId = this.#memberId;
    const coordinator = this.#coordinator;
    this.#setMembership(undefined);
    if (memberId === '' || coordinator === undefined) return;
    const { cluster, groupId } = this.options;
    // On a connection of its own: the one of the group may be waiting for a rebalance.
    await cluster
      .request(coordinator, apis.leaveGroup, [groupId, [{ memberId, groupInstanceId: null }]], {
        timeoutMs: leaveMsMax,
      })
      .catch(() => undefined);
  }

  /** Resolves when nothing runs any more; after `close` and after the cluster's connections are closed. */
  async ended(): Promise<void> {
    await this.#running;
  }

  async #run(): Promise<void> {
    const { clock, listener } = this.options;
    const { signal } = this.#closing;
    for (let failures = 0; !signal.aborted; ) {
      try {
        this.#joining = true;
        await this.#join();
        this.#joining = false;
        failures = 0;
        listener.onTrouble(undefined);
        await this.#stay();
      } catch (error) {
        if (signal.aborted) return;
        this.#coordinator = undefined;
        if (!(error instanceof CcxError)) throw error;
        listener.onTrouble(error);
        await pause(clock, pauseBefore(failures, clock), signal);
        failures += 1;
        this.#loseIfLate();
      }
    }
  }

  /** Heartbeats until the group has to be joined again. Returns then; throws when the coordinator cannot be asked. */
  async #stay(): Promise<void> {
    const { clock, sessionMs, listener } = this.options;
    const { signal } = this.#closing;
    for (let failures = 0; !signal.aborted; ) {
      this.#beat = new AbortController();
      const beatMs = failures > 0 ? pauseBefore(failures, clock) : sessionMs / heartbeatsPerSession;
      await pause(clock, beatMs, AbortSignal.any([signal, this.#beat.signal]));
      if (signal.aborted) return;
      try {
        const next = await this.#heartbeat();
        if (next === 'rejoin') return;
        if (next === 'find-coordinator') failures += 1;
        else if (failures > 0) {
          failures = 0;
          listener.onTrouble(undefined);
        }
      } catch (error) {
        if (!(error instanceof CcxError) || !error.retryable) throw error;
        this.#coordinator = undefined;
        failures += 1;
        listener.onTrouble(error);
      }
      if (this.#loseIfLate()) return;
    }
  }

  async #heartbeat(): Promise<Next> {
    const { cluster, groupId, clock, sessionMs } = this.options;
    const membership = this.#membership;
    if (membership === undefined || this.#rejoinWanted || (await this.#topicsChanged())) return 'rejoin';
    const startedMs = clock.monotonicMs();
    const coordinator = await this.#findCoordinator();
    const answer = await cluster.request(
      coordinator,
      apis.heartbeat,
      [groupId, membership.generation, membership.memberId, null],
      // Longer than that and the next one is due; the session outlives two lost ones.
      { purpose: 'group', timeoutMs: sessionMs / heartbeatsPerSession },
    );
    if (answer.errorCode === codes.NONE) {
      this.#leaseUntilMs = startedMs + sessionMs;
      if (coordinator !== membership.coordinator) this.#setMembership({ ...membership, coordinator });
    }
    return this.#after(answer.errorCode);
  }

  /** Join and synchronise until the group has settled on a generation with this member in it. */
  async #join(): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      this.#rejoinWanted = false;
      const joined = await this.#requestJoin();
      if (joined === undefined) continue;
      const { cluster, groupId, clock, sessionMs, listener } = this.options;
      this.#isLeader = joined.leader === joined.memberId;
      const assignments = this.#isLeader ? await this.#assign(joined) : [];
      const startedMs = clock.monotonicMs();
      const synced = await cluster.request(
        joined.coordinator,
        apis.syncGroup,
        [groupId, joined.generationId, joined.memberId, null, 'consumer', joined.protocolName ?? null, assignments],
        { purpose: 'group', timeoutMs: rebalanceMsMax + answerMarginMs },
      );
      if (this.#after(synced.errorCode) !== 'go-on' || signal.aborted) continue;

      this.#leaseUntilMs = startedMs + sessionMs;
      this.#setMembership({
        memberId: joined.memberId,
        generation: joined.generationId,
        coordinator: joined.coordinator,
      });
      const generations = this.#lastGeneration === undefined ? -1 : joined.generationId - this.#lastGeneration;
      this.#lastGeneration = joined.generationId;
      listener.onAssigned(decodeAssignment(synced.assignment), generations === 0 || generations === 1);
      return;
    }
  }

  async #requestJoin() {
    const { cluster, groupId, topics, sessionMs } = this.options;
    const coordinator = await this.#findCoordinator();
    this.#topicsSeen = describeTopics(await this.#lookAtTopics());
    const metadata = encodeSubscription(topics);
    const protocols = [...assignors.keys()].map((name) => ({ name, metadata }));
    const joined = await cluster.request(
      coordinator,
      apis.joinGroup,
      [groupId, sessionMs, rebalanceMsMax, this.#memberId, null, 'consumer', protocols, null],
      { purpose: 'group', timeoutMs: rebalanceMsMax + answerMarginMs },
    );
    if (joined.errorCode === codes.MEMBER_ID_REQUIRED) {
      // How every first join begins: the group wants to know who it is that may never come back.
      this.#memberId = joined.memberId;
      return undefined;
    }
    if (this.#after(joined.errorCode) !== 'go-on') return undefined;
    this.#memberId = joined.memberId;
    return { ...joined, coordinator };
  }

  /** The leader's part: who of the members gets what. */
  async #assign(joined: {
    readonly protocolName?: string | null;
    readonly members: readonly { memberId: string; metadata: Buffer }[];
  }) {
    const members = joined.members.map(({ memberId, metadata }): GroupMember => {
      try {
        return { memberId, topics: decodeSubscription(metadata) };
      } catch {
        // Whoever cannot say what it reads gets nothing; the others go on.
        return { memberId, topics: [] };
      }
    });
    const topics = await this.options.cluster.topics([...new Set(members.flatMap((member) => member.topics))]);
    const counts = new Map<string, number>();
    for (const [name, topic] of topics) {
      if (!(topic instanceof CcxError)) counts.set(name, topic.partitions.length);
      // Without a broker to ask, an assignment would take partitions away from everybody.
      else if (topic.code === 'BUS_UNREACHABLE') throw topic;
    }
    const assignor = assignors.get(joined.protocolName ?? '') ?? assignors.get('range')!;
    return [...assignor(members, counts)].map(([memberId, partitions]) => ({
      memberId,
      assignment: encodeAssignment(partitions),
    }));
  }

  /** What the coordinator's answer means for the membership. Throws what no rejoin would mend. */
  #after(code: number): Next {
    switch (code) {
      case codes.NONE:
        return 'go-on';
      case codes.REBALANCE_IN_PROGRESS:
        return 'rejoin';
      case codes.ILLEGAL_GENERATION:
        this.#lose();
        return 'rejoin';
      case codes.UNKNOWN_MEMBER_ID:
      case codes.FENCED_INSTANCE_ID:
        this.#memberId = '';
        this.#lose();
        return 'rejoin';
      case codes.NOT_COORDINATOR:
      case codes.COORDINATOR_NOT_AVAILABLE:
        this.#coordinator = undefined;
        return 'find-coordinator';
      case codes.COORDINATOR_LOAD_IN_PROGRESS:
        return 'find-coordinator';
      default:
        throw groupFailed(code, this.options.groupId);
    }
  }

  async #findCoordinator(): Promise<number> {
    this.#coordinator ??= await this.options.cluster.coordinatorOf(this.options.groupId);
    return this.#coordinator;
  }

  async #topicsChanged(): Promise<boolean> {
    return describeTopics(await this.#lookAtTopics()) !== this.#topicsSeen;
  }

  async #lookAtTopics(): Promise<readonly (TopicInfo | CcxError)[]> {
    return [...(await this.options.cluster.topics(this.options.topics)).values()];
  }

  #lose(): void {
    this.#lastGeneration = undefined;
    this.#setMembership(undefined);
    this.options.listener.onLost();
  }

  /** Past the lease the group has given our partitions to others, whether it could tell us or not. */
  #loseIfLate(): boolean {
    if (this.#membership === undefined || this.leaseHolds()) return false;
    this.#lose();
    return true;
  }

  #setMembership(membership: Membership | undefined): void {
    this.#membership = membership;
    this.#change.resolve();
    this.#change = Promise.withResolvers<void>();
  }
}

/** Changes with the identity and the number of partitions of any topic, not with their leaders. */
function describeTopics(topics: readonly (TopicInfo | CcxError)[]): string {
  return topics
    .map((topic) =>
      topic instanceof CcxError ? topic.code : `${topic.name}:${topic.topicId}:${topic.partitions.length}`,
    )
    .join(' ');
}
