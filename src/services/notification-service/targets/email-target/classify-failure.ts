/**
 * What it means that a mail server did not take a mail. 5yz about the mail or its recipient is the end of that mail; 5yz about the sender,
 * the login or the connection is about every mail, and waits for somebody to change a setting. Pure.
 */
import { CcxError } from '../../../../encoding/ccx-error.ts';
import { certificateCodes } from '../../../../platform/http/certificate-refusal.ts';
import type { DeliveryResult } from '../../ports.ts';
import {
  deliveryFailure,
  retryAfterMs as notAcceptedAfterMs,
  pausedMisconfiguredMs,
  unknownAfterMs,
  unreachableAfterMs,
} from '../transport-failure.ts';
import type { SmtpFailure } from './smtp-client.ts';

/** No connection came about, by Node's codes. */
const unreachableCodes: ReadonlySet<string> = new Set([
  ...(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'ETIMEDOUT', 'ENODATA'] as const),
  ...(['EDNS'] as const),
]);
/** The mail is too large, whoever the sender is. Source: RFC 1870, 6.1. */
const tooLarge = 552;
/** What a server answers beyond this says nothing more. */
const reasonCharsMax = 300;

export function resultOfSmtpFailure(failure: SmtpFailure): DeliveryResult {
  const { stage, status } = failure;
  if (status === undefined) return resultWithoutAnswer(failure);
  const isPermanent = status >= 500 && status < 600;
  if (stage === 'recipient' || stage === 'mail' || (stage === 'sender' && status === tooLarge))
    return isPermanent
      ? { kind: 'rejected', error: errorOf(failure, 'MAIL_REJECTED', { retryable: false }) }
      : { kind: 'retry', error: errorOf(failure, 'MAIL_DEFERRED'), afterMs: notAcceptedAfterMs };
  if (!isPermanent) return { kind: 'retry', error: errorOf(failure, 'MAIL_SERVER_BUSY'), afterMs: notAcceptedAfterMs };
  return { kind: 'paused', ...causeOfPause(failure), afterMs: pausedMisconfiguredMs };
}

function causeOfPause(failure: SmtpFailure): { readonly error: CcxError } {
  switch (failure.stage) {
    case 'login':
      return { error: errorOf(failure, 'MAIL_LOGIN_REFUSED', { hint: 'check its username and password' }) };
    case 'sender':
      return { error: errorOf(failure, 'MAIL_SENDER_REFUSED', { hint: 'check its envelope_from, from and username' }) };
    case 'security':
      return { error: errorOf(failure, 'MAIL_NOT_SECURE', { hint: 'check its smtp_tls and smtp_port' }) };
    default:
      return { error: errorOf(failure, 'MAIL_SERVER_REFUSED', { hint: 'check its smtp_host and message_id_domain' }) };
  }
}

function resultWithoutAnswer(failure: SmtpFailure): DeliveryResult {
  const { code = '', originalCode = code } = failure.cause as { code?: string; originalCode?: string };
  if (failure.stage === 'handed-over')
    return { kind: 'unknown', error: errorOf(failure, 'MAIL_AMBIGUOUS'), afterMs: unknownAfterMs };
  if (certificateCodes.has(originalCode)) {
    const hint = 'its certificate is not trusted: set ca_file to that of its authority';
    return { kind: 'paused', error: errorOf(failure, 'MAIL_NOT_TRUSTED', { hint }), afterMs: pausedMisconfiguredMs };
  }
  // Its certificate may be right tomorrow, its protocol is a matter of settings.
  if (failure.stage === 'security' || code === 'ENOAUTH' || code === 'EAUTH')
    return { kind: 'paused', ...causeOfPause(failure), afterMs: pausedMisconfiguredMs };
  if (failure.stage === 'connection' && (unreachableCodes.has(originalCode) || unreachableCodes.has(code)))
    return { kind: 'unreachable', error: errorOf(failure, 'MAIL_SERVER_UNREACHABLE'), afterMs: unreachableAfterMs };
  return { kind: 'retry', error: errorOf(failure, 'MAIL_NOT_TAKEN'), afterMs: notAcceptedAfterMs };
}

function errorOf(
  { reason, cause, status, stage }: SmtpFailure,
  code: string,
  { hint, retryable = true }: { readonly hint?: string; readonly retryable?: boolean } = {},
): CcxError {
  const line = reason
    .toWellFormed()
    .replaceAll(/[\s\p{C}]+/gu, ' ')
    .slice(0, reasonCharsMax)
    .trim();
  const said = status === undefined ? line : `the mail server answers ${line}`;
  if (hint === undefined && retryable) return deliveryFailure(`${about[stage]}: ${said}`, code, cause);
  return new CcxError(`${about[stage]}: ${said}`, { code, category: 'delivery', retryable, hint, cause });
}

const about: Readonly<Record<SmtpFailure['stage'], string>> = {
  connection: 'no session with the mail server came about',
  security: 'no secure connection to the mail server came about',
  login: 'the login failed',
  sender: 'the sender was not taken',
  recipient: 'the recipient was not taken',
  mail: 'the mail was not taken',
  'handed-over': 'the mail was sent, and its answer was lost',
};
