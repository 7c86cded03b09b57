/**
 * The requests that the adapter makes, each in one fixed version. They are the oldest versions with everything that we need, so every
 * broker from 3.1 on speaks them and nothing has to be negotiated; a broker that does not is told apart at the first contact.
 */
import {
  apiVersionsV3,
  createTopicsV7,
  deleteTopicsV6,
  describeConfigsV4,
  findCoordinatorV4,
  heartbeatV4,
  initProducerIdV4,
  joinGroupV7,
  leaveGroupV4,
  listOffsetsV7,
  metadataV12,
  offsetCommitV8,
  offsetFetchV8,
  produceV9,
  ResponseError,
  syncGroupV5,
} from '@platformatic/kafka';
import { fetchApi } from './fetch-answer.ts';

export const apis = {
  apiVersions: apiVersionsV3.api,
  createTopics: createTopicsV7.api,
  deleteTopics: deleteTopicsV6.api,
  describeConfigs: describeConfigsV4.api,
  fetch: fetchApi,
  findCoordinator: findCoordinatorV4.api,
  heartbeat: heartbeatV4.api,
  initProducerId: initProducerIdV4.api,
  joinGroup: joinGroupV7.api,
  leaveGroup: leaveGroupV4.api,
  listOffsets: listOffsetsV7.api,
  metadata: metadataV12.api,
  offsetCommit: offsetCommitV8.api,
  offsetFetch: offsetFetchV8.api,
  produce: produceV9.api,
  syncGroup: syncGroupV5.api,
} as const;

/** Error codes that the adapter acts upon; every other one is treated as passing and tried again until a deadline. */
export const codes = {
  NONE: 0,
  OFFSET_OUT_OF_RANGE: 1,
  UNKNOWN_TOPIC_OR_PARTITION: 3,
  MESSAGE_TOO_LARGE: 10,
  COORDINATOR_LOAD_IN_PROGRESS: 14,
  COORDINATOR_NOT_AVAILABLE: 15,
  NOT_COORDINATOR: 16,
  INVALID_TOPIC: 17,
  RECORD_LIST_TOO_LARGE: 18,
  ILLEGAL_GENERATION: 22,
  UNKNOWN_MEMBER_ID: 25,
  REBALANCE_IN_PROGRESS: 27,
  TOPIC_AUTHORIZATION_FAILED: 29,
  GROUP_AUTHORIZATION_FAILED: 30,
  CLUSTER_AUTHORIZATION_FAILED: 31,
  UNSUPPORTED_SASL_MECHANISM: 33,
  ILLEGAL_SASL_STATE: 34,
  UNSUPPORTED_VERSION: 35,
  TOPIC_ALREADY_EXISTS: 36,
  INVALID_PARTITIONS: 37,
  OUT_OF_ORDER_SEQUENCE_NUMBER: 45,
  DUPLICATE_SEQUENCE_NUMBER: 46,
  INVALID_PRODUCER_EPOCH: 47,
  SASL_AUTHENTICATION_FAILED: 58,
  UNKNOWN_PRODUCER_ID: 59,
  MEMBER_ID_REQUIRED: 79,
  FENCED_INSTANCE_ID: 82,
  INVALID_RECORD: 87,
  UNKNOWN_TOPIC_ID: 100,
  INCONSISTENT_TOPIC_ID: 103,
} as const;

/**
 * The library throws when any part of an answer carries an error code, and hangs the whole answer on the error. The adapter looks at
 * the codes itself, part by part, so here the answer comes back.
 */
export function answerOf<Answer>(error: unknown): Answer | undefined {
  if (!(error instanceof ResponseError)) return undefined;
  return (error as unknown as { response?: Answer }).response;
}

/** Names of requests that a broker with these version ranges does not speak as we do. */
export function unsupportedApis(
  ranges: readonly { readonly apiKey: number; readonly minVersion: number; readonly maxVersion: number }[],
): readonly string[] {
  return Object.entries(apis)
    .filter(([, api]) => {
      const range = ranges.find((candidate) => candidate.apiKey === api.key);
      return range === undefined || api.version < range.minVersion || api.version > range.maxVersion;
    })
    .map(([name, api]) => `${name} v${api.version}`);
}
