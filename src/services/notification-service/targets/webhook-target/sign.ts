/**
 * Signatures by which a receiver knows that a message is ours and new. Source: Standard Webhooks 1.0.0, "Signature scheme": HMAC-SHA256
 * over `id.timestamp.body`, in Base64, behind `v1,`; several with blanks between while keys are exchanged.
 */
import { createHmac } from 'node:crypto';

interface SignedMessage {
  readonly id: string;
  readonly body: string;
  /** Of this attempt: who receives it refuses what is old. */
  readonly now: Date;
  readonly keys: readonly Buffer[];
}

/** Headers beside `webhook-id`. */
export function signatureHeaders({ id, body, now, keys }: SignedMessage): Readonly<Record<string, string>> {
  const timestamp = String(Math.floor(now.getTime() / 1000));
  const signatures = keys.map(
    (key) => `v1,${createHmac('sha256', key).update(`${id}.${timestamp}.${body}`, 'utf8').digest('base64')}`,
  );
  return { 'webhook-timestamp': timestamp, 'webhook-signature': signatures.join(' ') };
}
