/**
 * Who reads what in a group of the embedded bus. Every member computes the whole table from the same rows under the group's lock, so
 * nobody has to be told; it is pure and deterministic. Called by `membership.ts`.
 */

export interface AssignableMember {
  readonly memberId: string;
  readonly topics: readonly string[];
}

export interface AssignableTopic {
  readonly name: string;
  readonly partitions: number;
}

/**
 * Each partition goes to the subscribed member that has the fewest so far, in a tie to the one that joined first (`members` come in that
 * order). The result maps `<topic>/<partition>` to a member; a topic that nobody subscribes to is not in it.
 */
export function assignPartitions(
  members: readonly AssignableMember[],
  topics: readonly AssignableTopic[],
): ReadonlyMap<string, string> {
  const assigned = new Map<string, string>();
  const counts = new Map(members.map((member) => [member.memberId, 0]));
  const ordered = [...topics].sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const topic of ordered) {
    const eligible = members.filter((member) => member.topics.includes(topic.name));
    for (let partition = 0; partition < topic.partitions; partition += 1) {
      let best: string | undefined;
      for (const { memberId } of eligible) {
        if (best === undefined || counts.get(memberId)! < counts.get(best)!) best = memberId;
      }
      if (best === undefined) break;
      counts.set(best, counts.get(best)! + 1);
      assigned.set(`${topic.name}/${partition}`, best);
    }
  }
  return assigned;
}
