/**
 * Names of the Kafka topics and consumer groups, as the hosted services use them. Nothing outside this folder writes a topic
 * name as a literal; a deployment that renames a topic does it by configuration.
 * Sources: ingress.md A.7, A.8; data-pipeline.md 1.4; notification-writer.md 2.3; notification-service.md 3.4.
 */

/** HTTP, both directions: the id that one upload carries from hop 1 to hop 12. Source: ingress.md A.3.1. */
export const HEADER_REQUEST_ID = 'x-rh-insights-request-id';
/** HTTP, in: padded base64 of the identity document. Source: ingress.md A.3.2. */
export const HEADER_IDENTITY = 'x-rh-identity';
/** Kafka, on announcements: the service part of the upload's content type. Source: ingress.md A.7. */
export const HEADER_SERVICE = 'service';
/** Kafka, on notifications: a UUIDv4 equal to the body's `id`. Source: consumers.md 1.4. */
export const HEADER_MESSAGE_ID = 'rh-message-id';
/** Kafka, on results: the version of the rule catalogue that made the report, at most 128 characters. Other readers ignore it. */
export const HEADER_CATALOGUE_VERSION = 'ccx-catalogue-version';
/** Kafka, on results: JSON array of the modules of all rules in that catalogue, sorted. Other readers ignore it. */
export const HEADER_CATALOGUE_RULES = 'ccx-catalogue-rules';
/** Longest value of `ccx-catalogue-version`. */
export const catalogueVersionCharactersMax = 128;
export const TOPIC_UPLOAD_ANNOUNCE = 'platform.upload.announce';
export const TOPIC_OCP_RESULTS = 'ccx.ocp.results';
export const TOPIC_NOTIFICATIONS = 'platform.notifications.ingress';
export const TOPIC_PAYLOAD_STATUS = 'platform.payload-status';
export const TOPIC_PIPELINE_DEAD_LETTERS = 'dead.letter.queue';
/** Ours: the reference's writer drops what it cannot store. */
export const TOPIC_WRITER_DEAD_LETTERS = 'ccx.notification.writer.dead.letter.queue';
/** Ours: what the payload tracker cannot read. */
export const TOPIC_TRACKER_DEAD_LETTERS = 'ccx.payload.tracker.dead.letter.queue';

/** Every topic that holds dead letters, for `ccx dead-letters`. */
export const DEAD_LETTER_TOPICS: readonly string[] = [
  TOPIC_PIPELINE_DEAD_LETTERS,
  TOPIC_WRITER_DEAD_LETTERS,
  TOPIC_TRACKER_DEAD_LETTERS,
];

export const GROUP_DATA_PIPELINE = 'ccx_data_pipeline_app';
export const GROUP_WRITER = 'ccx_notification_app';
export const GROUP_TRACKER = 'ccx_payload_tracker_app';

/** The value of the announcement's `service` header that concerns OpenShift. */
export const SERVICE_OPENSHIFT = 'openshift';

/** Names of HTTP and Kafka headers that cross a process boundary. */
