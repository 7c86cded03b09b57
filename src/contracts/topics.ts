/**
 * Names of the Kafka topics and consumer groups, as the hosted services use them. Nothing outside this folder writes a topic
 * name as a literal; a deployment that renames a topic does it by configuration.
 * Sources: ingress.md A.7, A.8; data-pipeline.md 1.4; notification-writer.md 2.3; notification-service.md 3.4.
 */
export const TOPIC_UPLOAD_ANNOUNCE = 'platform.upload.announce';
/** The name of the announce topic until 2023; read by configuration, without the `service` header filter. */
export const TOPIC_UPLOAD_BUCKIT = 'platform.upload.buckit';
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
