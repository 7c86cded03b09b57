/**
 * What the Service Log target needs of a renderer: texts for the issues of one cluster. Two implementations: in child processes of our own
 * (`native-renderer.ts`) and over the hosted renderer service (`remote-renderer.ts`).
 */
import { CcxError } from '../../../../../encoding/ccx-error.ts';
import type { DueCluster, DueIssue } from '../../../ports.ts';

export type RenderedIssue =
  | {
      readonly kind: 'rendered';
      /** The rule's module, dots kept; goes into the link. */
      readonly ruleId: string;
      readonly description: string;
      readonly reason: string;
    }
  /** This issue's texts cannot be made; the others' may. */
  | { readonly kind: 'failed'; readonly error: CcxError };

export interface TemplateRenderer {
  /** One result per issue, in the cluster's order. Rejects with a `CcxError` when the renderer itself is away. */
  render(cluster: DueCluster): Promise<readonly RenderedIssue[]>;
  close(): Promise<void>;
}

/** For one issue whose texts cannot be made. */
export function notRendered(issue: DueIssue, code: string, why: string): RenderedIssue {
  const error = new CcxError(`the texts of ${issue.component} ${issue.errorKey} cannot be rendered: ${why}`, {
    code,
    category: 'input',
  });
  return { kind: 'failed', error };
}

/** Runs work with a bound on how much of it is under way at once, across all callers; what waits is started in the order it was asked for. */
export function createBoundedWork(atOnceMax: number) {
  const waiting: (() => void)[] = [];
  let running = 0;
  return {
    async run<T>(work: () => Promise<T>): Promise<T> {
      if (running >= atOnceMax) await new Promise<void>((resolve) => waiting.push(resolve));
      else running += 1;
      try {
        return await work();
      } finally {
        // The place goes straight to whoever waits longest, so that nobody can take it in between.
        const next = waiting.shift();
        if (next === undefined) running -= 1;
        else next();
      }
    },
  };
}
