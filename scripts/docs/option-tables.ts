/** Every option table that a person may set something in, in the order of docs/configuration.md. */
import { allInOneOptions } from '../../src/all-in-one/config.ts';
import type { OptionTable } from '../../src/platform/config/options.ts';
import { contentServiceOptions } from '../../src/services/content-service/config.ts';
import { dataPipelineOptions } from '../../src/services/data-pipeline/config.ts';
import { ingressOptions } from '../../src/services/ingress/config.ts';
import { notificationServiceOptions } from '../../src/services/notification-service/config.ts';
import { notificationWriterOptions } from '../../src/services/notification-writer/config.ts';
import { payloadTrackerOptions } from '../../src/services/payload-tracker/config.ts';
import { resultsOptions } from '../../src/services/results-api/config.ts';
import { deadLettersOptions } from '../../src/tools/dead-letters/config.ts';

export const optionTables: readonly OptionTable[] = [
  allInOneOptions,
  ingressOptions,
  dataPipelineOptions,
  notificationWriterOptions,
  notificationServiceOptions,
  contentServiceOptions,
  payloadTrackerOptions,
  resultsOptions,
  deadLettersOptions,
];
