/** Names of HTTP and Kafka headers that cross a process boundary. */

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
