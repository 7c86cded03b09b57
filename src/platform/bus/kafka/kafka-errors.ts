/**
 * What goes wrong with Kafka, in the codes of the bus and with the setting to change. Connection failures come as chains of the client
 * library's and Node's errors; the broker's answers come as numbers (`protocol.ts`).
 */
import {
  AuthenticationError,
  GenericError,
  NetworkError,
  ProtocolError,
  protocolErrorsCodesById,
  UserError,
} from '@platformatic/kafka';
import { CcxError } from '../../../encoding/ccx-error.ts';
import { topicUnknown, unreachable } from '../bus-errors.ts';
import type { KafkaSettingNames } from './kafka-security.ts';
import { codes } from './protocol.ts';

/** Node's names for a certificate that is not believed, or a handshake that does not come about. */
const tlsCode =
  /^(ERR_TLS_(?!HANDSHAKE_TIMEOUT)|ERR_SSL_(?!UNEXPECTED_EOF)|CERT_|DEPTH_ZERO_SELF_SIGNED_CERT$|SELF_SIGNED_CERT_IN_CHAIN$|UNABLE_TO_|HOSTNAME_MISMATCH$|EPROTO$)/;

/** OpenSSL's for an answer that is no TLS at all. */
const notTlsCode = /^ERR_SSL_(WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|HTTP_REQUEST)$/;

/** How brokers say that it is the login that is wrong; other codes in its place may pass. */
const loginRefused: ReadonlySet<number> = new Set([
  codes.UNSUPPORTED_SASL_MECHANISM,
  codes.ILLEGAL_SASL_STATE,
  codes.SASL_AUTHENTICATION_FAILED,
]);

/** The library's word for a connection that ended before TLS was agreed upon. */
const silentTlsMessage = /TLS handshake failed/;

/**
 * A connection that did not come about or broke. Only what the broker said is a reason to change a setting: one that went away without a
 * word, in a handshake or a login as well, is `BUS_UNREACHABLE`. `address` is `host:port` or all of them. */
export function connectionFailed(error: unknown, address: string, names: KafkaSettingNames): CcxError {
  const chain = chainOf(error);
  const ours = chain.find((link) => link instanceof CcxError);
  if (ours instanceof CcxError) return ours;
  const login = chain.find((link) => link instanceof AuthenticationError);
  const answered = login === undefined ? undefined : answerToLogin(login);
  if (answered !== undefined && !loginRefused.has(answered)) return passing(answered, `the login to ${address}`);
  if (login !== undefined && (answered !== undefined || !chainOf(login).some(isNetworkFailure))) {
    return new CcxError(`the Kafka broker ${address} refused the login`, {
      code: 'BUS_AUTH',
      category: 'configuration',
      cause: error,
      hint: `change ${names.mechanism}, ${names.user} or ${names.password}`,
    });
  }
  if (chain.some((link) => notTlsCode.test(codeOf(link)))) {
    return speaksPlainText(error, address, names);
  }
  if (chain.some((link) => tlsCode.test(codeOf(link)))) {
    return new CcxError(`no trusted TLS connection to the Kafka broker ${address}`, {
      code: 'BUS_TLS',
      category: 'configuration',
      cause: error,
      hint: `change ${certificateSettings(names)}, or the host name in ${names.brokers}`,
    });
  }
  if (
    chain.some((link) => link instanceof UserError && /TLS/.test(link.message) && !silentTlsMessage.test(link.message))
  ) {
    return new CcxError(`the Kafka broker ${address} and this client disagree about TLS`, {
      code: 'BUS_TLS',
      category: 'configuration',
      cause: error,
      hint: `change ${names.protocol}, or the port in ${names.brokers}`,
    });
  }
  if (!chain.some(isNetworkFailure)) {
    return new CcxError(`an answer of the Kafka broker ${address} cannot be read`, {
      code: 'BUS_UNREADABLE',
      category: 'connection',
      retryable: true,
      cause: error,
      hint: 'a record may be damaged or compressed in a way that this release does not know; see the cause',
    });
  }
  if (chain.some((link) => ['ENOTFOUND', 'EAI_AGAIN', 'EAI_NODATA'].includes(codeOf(link)))) {
    const hint = `change ${names.brokers}, or what the brokers advertise`;
    return unreachable(`the name of the Kafka broker ${address} cannot be resolved`, hint, error);
  }
  const hint = `check that the broker runs, that ${names.brokers} names it and that ${names.protocol} is what it expects`;
  return unreachable(`cannot reach the Kafka broker ${address}`, hint, error);
}

/** Whether a connection ended in the TLS handshake without a word: who is there cannot be told from that. */
export function isSilentTlsFailure(error: unknown): boolean {
  return chainOf(error).some(
    (link) => codeOf(link) === 'ECONNRESET' || (link instanceof UserError && silentTlsMessage.test(link.message)),
  );
}

export function speaksPlainText(cause: unknown, address: string, names: KafkaSettingNames): CcxError {
  return new CcxError(`the Kafka broker ${address} does not speak TLS`, {
    code: 'BUS_TLS',
    category: 'configuration',
    cause,
    hint: `change ${names.protocol}, or the port in ${names.brokers}`,
  });
}

/** The broker's code in its answer to a login; undefined when it gave none. */
function answerToLogin(login: unknown): number | undefined {
  const answer = chainOf(login).find((link) => link instanceof ProtocolError);
  return answer === undefined ? undefined : (answer as ProtocolError & { readonly apiCode: number }).apiCode;
}

/** Which of several brokers' failures to tell: one that a person has to act upon says more than one that may pass. */
export function mostTelling(failures: readonly CcxError[]): CcxError | undefined {
  return failures.find((failure) => !failure.retryable) ?? failures[0];
}

/** What a broker's error code about a topic means. Codes that may pass become `BUS_UNREACHABLE`, which is retryable. */
export function topicFailed(code: number, topic: string): CcxError {
  switch (code) {
    case codes.UNKNOWN_TOPIC_OR_PARTITION:
    case codes.UNKNOWN_TOPIC_ID:
    case codes.INVALID_TOPIC:
      return topicUnknown([topic]);
    case codes.TOPIC_AUTHORIZATION_FAILED:
      return new CcxError(`this user may not use topic ${topic}`, {
        code: 'BUS_TOPIC_PERMISSION',
        category: 'configuration',
        hint: 'grant the operation on the topic to this user, or change the setting that names the topic',
      });
    case codes.MESSAGE_TOO_LARGE:
    case codes.RECORD_LIST_TOO_LARGE:
      return new CcxError(`a record for ${topic} is larger than the broker or the topic takes`, {
        code: 'BUS_RECORD_TOO_LARGE',
        category: 'limit',
        hint: 'raise max.message.bytes of the topic and message.max.bytes of the brokers, or send less',
      });
    case codes.INVALID_RECORD:
      return new CcxError(`topic ${topic} does not take records like this (a compacted topic wants a key)`, {
        code: 'BUS_RECORD_REFUSED',
        category: 'input',
      });
    default:
      return passing(code, `topic ${topic}`);
  }
}

/** What a broker's error code about a group or the cluster means. */
export function groupFailed(code: number, groupId: string): CcxError {
  if (code === codes.GROUP_AUTHORIZATION_FAILED) {
    return new CcxError(`this user may not use consumer group ${groupId}`, {
      code: 'BUS_GROUP_PERMISSION',
      category: 'configuration',
      hint: 'grant READ on the group to this user, or change the setting that names the group',
    });
  }
  return passing(code, `group ${groupId}`);
}

export function clusterFailed(code: number, doing: string): CcxError {
  if (code === codes.CLUSTER_AUTHORIZATION_FAILED || code === codes.TOPIC_AUTHORIZATION_FAILED) {
    return new CcxError(`this user may not ${doing}`, {
      code: 'BUS_PERMISSION',
      category: 'configuration',
      hint: 'let somebody with the right do it, or grant it to this user',
    });
  }
  return passing(code, doing);
}

function passing(code: number, about: string): CcxError {
  const name = protocolErrorsCodesById[code] ?? `error ${code}`;
  return unreachable(`Kafka answered ${name} for ${about}`);
}

function isNetworkFailure(link: unknown): boolean {
  const code = codeOf(link);
  return code === NetworkError.code || /^E[A-Z_]+$/.test(code) || (link as { syscall?: unknown }).syscall !== undefined;
}

/** Some configurations have one setting for both. */
function certificateSettings({ caFile, certificateFile }: KafkaSettingNames): string {
  return caFile === certificateFile ? caFile : `${caFile} (or ${certificateFile})`;
}

function codeOf(link: unknown): string {
  const code = (link as { code?: unknown }).code;
  return typeof code === 'string' ? code : '';
}

/** An error, its causes and the members of collections among them. */
function chainOf(error: unknown): unknown[] {
  const links: unknown[] = [];
  const visit = (link: unknown): void => {
    if (link === undefined || link === null || links.includes(link)) return;
    links.push(link);
    if (link instanceof AggregateError || GenericError.isGenericError(link as Error)) {
      for (const member of (link as { errors?: unknown[] }).errors ?? []) visit(member);
    }
    if (link instanceof Error) visit(link.cause);
  };
  visit(error);
  return links;
}
