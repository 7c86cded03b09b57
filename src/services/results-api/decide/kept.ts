/** What is known depends on which of our roles write into the database; what is not, is refused with the name of the role that is missing. */

/** Which records are there and can be read. */
export interface Kept {
  readonly reports: boolean;
  readonly owners: boolean;
  readonly acknowledgements: boolean;
  /** Request, times and version of reports: the notification writer's. */
  readonly facts: boolean;
  /** Clusters and issues: the notification service's. */
  readonly issues: boolean;
  /** What became of requests: the payload tracker's. */
  readonly trace: boolean;
}

export type MissingRole = 'writer' | 'notifier' | 'tracker';

export function missingRoles({ facts, issues, trace }: Kept): MissingRole[] {
  const missing: readonly [boolean, MissingRole][] = [
    [facts, 'writer'],
    [issues, 'notifier'],
    [trace, 'tracker'],
  ];
  return missing.filter(([isKept]) => !isKept).map(([, role]) => role);
}

const words: Readonly<Record<MissingRole, string>> = {
  writer: 'requests are not kept here: ccx writer, which keeps them, does not write into this database',
  notifier: 'lists are not kept here: ccx notifier, which keeps them, does not write into this database',
  tracker: 'what became of requests is not kept here: ccx tracker, which keeps it, does not write into this database',
};

export function wordsOfMissing(role: MissingRole): string {
  return words[role];
}
