/**
 * How many records of each partition one look fetches: as even as what is there allows, so that a partition with a long backlog does not
 * starve the others. Pure; called by both adapters.
 */

/** `available[i]` records wait in partition i; at most `total` are taken. Earlier partitions get the odd ones, so callers rotate. */
export function shareOut(available: readonly number[], total: number): number[] {
  const shares = available.map(() => 0);
  let left = total;
  let open = available.map((_, index) => index).filter((index) => available[index]! > 0);
  while (left > 0 && open.length > 0) {
    const even = Math.max(1, Math.floor(left / open.length));
    for (const index of open) {
      const take = Math.min(even, available[index]! - shares[index]!, left);
      shares[index]! += take;
      left -= take;
    }
    open = open.filter((index) => available[index]! > shares[index]!);
  }
  return shares;
}
