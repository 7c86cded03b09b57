/** Chance that can be had again: the same seed gives the same numbers. For the choice of kill points and moments. */
import { createHash } from 'node:crypto';

export interface Chance {
  /** Uniform in [0, 1). */
  next(): number;
  /** A whole number from 0 to `below` - 1. */
  below(below: number): number;
  pick<T>(values: readonly T[]): T;
  shuffle<T>(values: readonly T[]): T[];
}

export function createChance(seed: string): Chance {
  let count = 0;
  const next = () => {
    count += 1;
    return createHash('sha256').update(`${seed} ${count}`).digest().readUInt32BE(0) / 2 ** 32;
  };
  const below = (bound: number) => Math.floor(next() * bound);
  return {
    next,
    below,
    pick: (values) => values[below(values.length)]!,
    shuffle(values) {
      const rest = [...values];
      return Array.from(values, () => rest.splice(below(rest.length), 1)[0]!);
    },
  };
}
