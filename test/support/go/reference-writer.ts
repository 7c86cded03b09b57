/** The Go program of the folder beside this file, which judges messages as the reference's writer does, with Go's own decoder and encoder. */
import { goProgram } from './go-program.ts';

/** As the program writes it; see `main.go`. */
export interface GoAnswer {
  readonly Outcome: string;
  readonly Error: string;
  readonly OrgID: number | null;
  readonly AccountNumber: number | null;
  readonly ClusterName: string | null;
  readonly LastChecked: string;
  readonly Version: number;
  readonly RequestID: string;
  readonly Text: string | null;
  readonly OriginalBytes: number;
  readonly Moment: { readonly Seconds: number; readonly Nanos: number } | null;
}

/** One answer for each document, in their order. Not to be called again before it has answered. */
export const askGo = goProgram<GoAnswer>('reference-writer');
