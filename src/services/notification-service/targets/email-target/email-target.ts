/**
 * Mail to people: one target for each recipient, so that each has an outbox, a ledger and a pause of its own, and what one of them does is
 * nobody else's trouble. They share the mail server, its connections and the rate. A repeat has the same Message-ID and the same bytes.
 */
import type { Clock } from '../../../../platform/clock/clock.ts';
import type { SecretSource } from '../../../../platform/secrets/secret-source.ts';
import type { DeliveryAttempt, DeliveryResult, ReceiverTarget } from '../../ports.ts';
import type { EmailSettings, Mailbox } from '../../receivers/email-settings.ts';
import type { EventLinks } from '../describe-event.ts';
import {
  asDeliveryFailure,
  deliveryFailure,
  retryAfterMs as notAcceptedAfterMs,
  pausedMisconfiguredMs,
  pausedUnavailableMs,
} from '../transport-failure.ts';
import { resultOfSmtpFailure } from './classify-failure.ts';
import { createMailComposer } from './compose-mail.ts';
import { createSmtpClient, SmtpFailure } from './smtp-client.ts';

interface EmailDependencies extends EventLinks {
  readonly secrets: SecretSource;
  readonly clock: Clock;
}

/** In the order of `to`. The name of each is that of the receiver and its address: `ops/ada@example.com`. */
export function createEmailTargets(
  settings: EmailSettings,
  { secrets, clock, ...links }: EmailDependencies,
): readonly ReceiverTarget[] {
  const { from, messageIdDomain, envelopeFrom, recipients, name: receiver } = settings;
  const client = createSmtpClient(settings.smtp, secrets);
  const turn = createTurns(settings.smtp.perSecondMax, clock);
  const deliver = async (to: Mailbox, { notification, signal }: DeliveryAttempt): Promise<DeliveryResult> => {
    try {
      await turn(signal);
      if (signal.aborted) throw deliveryFailure('the delivery was called off before it began', 'DELIVERY_ABORTED');
      const mail = { from: envelopeFrom, to: to.address, bytes: notification.body };
      return { kind: 'delivered', detail: `answered ${(await client.send(mail, signal)).slice(0, 200)}` };
    } catch (thrown) {
      return thrown instanceof SmtpFailure ? resultOfSmtpFailure(thrown) : resultBeforeSending(thrown);
    }
  };
  return recipients.map((to) => {
    const target = nameOf(receiver, to);
    return {
      name: target,
      partOf: receiver,
      type: 'email',
      address: `${to.address} by ${client.address}`,
      hasRecipient: () => true,
      ...createMailComposer({ ...links, target, receiver, to, email: { from, messageIdDomain } }),
      deliver: (attempt) => deliver(to, attempt),
      // Nothing can be asked without a login, which servers count.
      check: async () => undefined,
      // Whoever started the process may have mended what was wrong.
      isOver: async (_, { started }) => started,
      close: async () => client.close(),
    };
  });
}

function nameOf(receiver: string, { address }: Mailbox): string {
  return `${receiver}/${address}`;
}

/** Secrets and files are read before anything is sent. */
function resultBeforeSending(thrown: unknown): DeliveryResult {
  const error = asDeliveryFailure(thrown, 'the mail', 'MAIL_FAILED');
  if (error.code === 'DELIVERY_ABORTED') return { kind: 'retry', error, afterMs: notAcceptedAfterMs };
  const afterMs = error.category === 'configuration' ? pausedMisconfiguredMs : pausedUnavailableMs;
  return { kind: 'paused', error, afterMs };
}

/** Whoever asks waits until it is their turn: so many in a second, at even distances. Who is called off gives theirs to the next. */
function createTurns(perSecondMax: number, clock: Clock): (signal: AbortSignal) => Promise<void> {
  let last = Promise.resolve();
  let freeMs = 0;
  const mine = async (signal: AbortSignal) => {
    const waitMs = freeMs - clock.monotonicMs();
    if (waitMs > 0 && !signal.aborted) await clock.sleep(waitMs, signal).catch(() => undefined);
    if (!signal.aborted) freeMs = Math.max(freeMs, clock.monotonicMs()) + 1_000 / perSecondMax;
  };
  return async (signal) => {
    if (perSecondMax === 0 || signal.aborted) return;
    const { promise: calledOff, resolve } = Promise.withResolvers<void>();
    const onAbort = () => resolve();
    signal.addEventListener('abort', onAbort);
    last = last.then(() => mine(signal));
    await Promise.race([last, calledOff]);
    signal.removeEventListener('abort', onAbort);
  };
}
