/** The Go program of the folder beside this file, which does over HTTP what the Insights Operator does, with Go's own client. */
import { goProgram } from './go-program.ts';

/** As the program reads it; see `main.go`. Endpoints are those of the operator's ConfigMap. */
export interface OperatorPlan {
  readonly UploadEndpoint: string;
  readonly DownloadEndpoint: string;
  readonly DownloadEndpointTechPreview: string;
  readonly ProcessingStatusEndpoint: string;
  readonly ConditionalGathererEndpoint: string;
  readonly ClusterTransferEndpoint: string;
  readonly Token: string;
  readonly Cluster: string;
  readonly ReleaseVersion: string;
  /** Base64. */
  readonly Archive: string;
  readonly JobMode: boolean;
  /** In place of the operator's minute between two tries. */
  readonly WaitMs: number;
}

/** What the cluster would show then. */
interface OperatorOutcome {
  readonly RequestID: string;
  readonly Conditions: Readonly<Record<string, { readonly Status: string; readonly Reason: string }>>;
  readonly Recommendations:
    | readonly {
        readonly Description: string;
        readonly TotalRisk: number;
        readonly ErrorKey: string;
        readonly Rule: string;
      }[]
    | null;
  readonly Health: Readonly<Record<string, number>>;
  readonly LastCheckedAt: string;
  readonly ContainerLogs: number;
  /** Of every answer, in order. */
  readonly Statuses: readonly number[];
  readonly Error: string;
}

const askOperator = goProgram<OperatorOutcome>('insights-operator');

/** Not to be called again before it has answered. */
export async function runOperator(plan: OperatorPlan): Promise<OperatorOutcome> {
  const [outcome] = await askOperator([Buffer.from(JSON.stringify(plan))]);
  return outcome!;
}
