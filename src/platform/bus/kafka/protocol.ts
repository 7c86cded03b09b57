/**
 * The requests that the adapter makes, each in one fixed version. They are the oldest versions with everything that we need, so every
 * broker from 3.1 on speaks them and nothing has to be negotiated; a broker that does not is told apart at the first contact.
 */
import {
  type API,
  apiVersionsV3,
  createTopicsV7,
  deleteTopicsV6,
  fetchV13,
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

export const apis = {
  apiVersions: apiVersionsV3.api,
  createTopics: createTopicsV7.api,
  deleteTopics: deleteTopicsV6.api,
  fetch: fetchV13.api,
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

export type Api<Arguments extends unknown[], Answer> = API<Arguments, Answer>;

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
