/**
 * The flow of one archive as data: twelve hops, who does each, where the code is, what it takes in and leaves behind. The README's
 * diagram, docs/sequence.md, the all-in-one runner and the trace are derived from this table or checked against it.
 */
import { TOPIC_NOTIFICATIONS, TOPIC_OCP_RESULTS, TOPIC_UPLOAD_ANNOUNCE } from './contracts/topics.ts';

export type HopNumber = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10 | 11 | 12;

export interface Hop {
  readonly number: HopNumber;
  readonly service: 'cluster' | 'ingress' | 'data-pipeline' | 'notification-writer' | 'notification-service';
  /** Folder of the code, from the repository's root. */
  readonly folder: string;
  readonly step: string;
  readonly consumes: string;
  readonly leaves: string;
}

export const HOPS: readonly Hop[] = [
  {
    number: 0,
    service: 'cluster',
    folder: 'src/tools/cluster-simulator',
    step: 'a cluster packs its state into an archive',
    consumes: 'the state of the cluster',
    leaves: 'a tar.gz',
  },
  {
    number: 1,
    service: 'ingress',
    folder: 'src/services/ingress',
    step: 'authenticates, bounds and validates the upload',
    consumes: 'POST /api/ingress/v1/upload',
    leaves: 'nothing yet',
  },
  {
    number: 2,
    service: 'ingress',
    folder: 'src/services/ingress',
    step: 'stores the archive, then announces it',
    consumes: 'a valid upload',
    leaves: `an object; a message on ${TOPIC_UPLOAD_ANNOUNCE}`,
  },
  {
    number: 3,
    service: 'data-pipeline',
    folder: 'src/services/data-pipeline',
    step: 'reads and checks the announcement',
    consumes: TOPIC_UPLOAD_ANNOUNCE,
    leaves: 'nothing yet',
  },
  {
    number: 4,
    service: 'data-pipeline',
    folder: 'src/services/data-pipeline',
    step: 'fetches the archive and opens it under limits',
    consumes: 'the object behind the announced link',
    leaves: 'an archive view, in memory',
  },
  {
    number: 5,
    service: 'data-pipeline',
    folder: 'src/rules',
    step: 'lets the rules look at the archive',
    consumes: 'the archive view',
    leaves: 'hits',
  },
  {
    number: 6,
    service: 'data-pipeline',
    folder: 'src/services/data-pipeline',
    step: 'publishes the report',
    consumes: 'hits',
    leaves: `a message on ${TOPIC_OCP_RESULTS}`,
  },
  {
    number: 7,
    service: 'notification-writer',
    folder: 'src/services/notification-writer',
    step: 'parses and checks the report',
    consumes: TOPIC_OCP_RESULTS,
    leaves: 'nothing yet',
  },
  {
    number: 8,
    service: 'notification-writer',
    folder: 'src/services/notification-writer',
    step: 'stores the shrunk report',
    consumes: 'a checked report',
    leaves: 'a row in new_reports',
  },
  {
    number: 9,
    service: 'notification-service',
    folder: 'src/services/notification-service',
    step: "loads the newest reports, what was notified before, and the rules' content",
    consumes: 'new_reports, reported, the ledger, rule content',
    leaves: 'nothing yet',
  },
  {
    number: 10,
    service: 'notification-service',
    folder: 'src/services/notification-service',
    step: 'decides, issue by issue, with a named reason',
    consumes: 'a report and what was notified before',
    leaves: 'decisions; outgoing messages in the outbox',
  },
  {
    number: 11,
    service: 'notification-service',
    folder: 'src/services/notification-service',
    step: 'renders and delivers to every enabled target',
    consumes: 'the outbox',
    leaves: `a message on ${TOPIC_NOTIFICATIONS}; Service Log entries`,
  },
  {
    number: 12,
    service: 'notification-service',
    folder: 'src/services/notification-service',
    step: 'records the outcome',
    consumes: "the targets' answers",
    leaves: 'rows in reported and in the ledger',
  },
];
