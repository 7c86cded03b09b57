/** The benchmarks by name, in the order in which they run. A new one is a file `bench/<name>.ts` and a line here. */
import { benchmark as bus } from '../bus.ts';
import { benchmark as dataPipeline } from '../data-pipeline.ts';
import { benchmark as decide } from '../decide.ts';
import { benchmark as fleet } from '../fleet.ts';
import { benchmark as follow } from '../follow.ts';
import { benchmark as ingress } from '../ingress.ts';
import { benchmark as kafkaAdapter } from '../kafka-adapter.ts';
import { benchmark as notify } from '../notify.ts';
import { benchmark as openArchive } from '../open-archive.ts';
import { benchmark as parseReport } from '../parse-report.ts';
import { benchmark as resultsApi } from '../results-api.ts';
import { benchmark as retention } from '../retention.ts';
import { benchmark as runRules } from '../run-rules.ts';
import { benchmark as startUp } from '../start-up.ts';
import { benchmark as storeReports } from '../store-reports.ts';
import { benchmark as wholeFlow } from '../whole-flow.ts';
import type { Benchmark } from './benchmark.ts';

export const allBenchmarks: Readonly<Record<string, Benchmark>> = {
  'whole-flow': wholeFlow,
  'open-archive': openArchive,
  'data-pipeline': dataPipeline,
  'parse-report': parseReport,
  'run-rules': runRules,
  ingress,
  bus,
  'kafka-adapter': kafkaAdapter,
  'store-reports': storeReports,
  decide,
  follow,
  notify,
  'results-api': resultsApi,
  'start-up': startUp,
  retention,
  fleet,
};
