/**
 * Content of a hosted content service and content of our own as one, joined by rule. Called by the notification service, the results API and
 * our own content service.
 */
import type { RuleContent, RuleContentDirectory } from '../../contracts/rule-content.ts';

interface Source {
  load(): Promise<RuleContentDirectory>;
}

/** Both, or nothing: without one of them its rules' issues would look as if nobody knew them. */
export function createJoinedContent(options: {
  readonly first: Source;
  readonly second: Source;
  /** Rules whose content is the second's, by the names of their folders. */
  readonly exceptions: readonly string[];
}): Source {
  const exceptions = new Set(options.exceptions);
  return {
    async load() {
      const [first, second] = await Promise.all([options.first.load(), options.second.load()]);
      return joinContent(first, second, exceptions);
    },
  };
}

/**
 * Every rule of both. Of a rule that both have `first` counts, of one that is named in `exceptions` the other; error keys that only the
 * loser knows stay, since a report of theirs would have no words at all. Names of impacts likewise.
 */
function joinContent(
  first: RuleContentDirectory,
  second: RuleContentDirectory,
  exceptions: ReadonlySet<string>,
): RuleContentDirectory {
  const rules: [string, RuleContent][] = [...new Set([...Object.keys(first.rules), ...Object.keys(second.rules)])].map(
    (name) => {
      const [winner, loser] = exceptions.has(name) ? [second, first] : [first, second];
      return [name, joinRule(own(winner.rules, name), own(loser.rules, name))];
    },
  );
  return {
    config: {
      impact: { ...second.config.impact, ...first.config.impact },
      resolution_risk: { ...second.config.resolution_risk, ...first.config.resolution_risk },
    },
    rules: Object.fromEntries(rules),
  };
}

/** One of them is there. */
function joinRule(winner: RuleContent | undefined, loser: RuleContent | undefined): RuleContent {
  if (winner === undefined || loser === undefined) return (winner ?? loser)!;
  return { ...winner, error_keys: { ...loser.error_keys, ...winner.error_keys } };
}

function own(rules: RuleContentDirectory['rules'], name: string): RuleContent | undefined {
  return Object.hasOwn(rules, name) ? rules[name] : undefined;
}
