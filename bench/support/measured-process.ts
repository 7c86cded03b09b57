/** Talking to a process that is measured by itself: one order at a time, one answer each. Used by the benchmarks that start one. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';

/** Sends an order and waits for the answer, whatever it is. Rejects when the process ends instead. */
export async function ask(child: ChildProcess, order: string | object): Promise<unknown> {
  const ended = new AbortController();
  const gone = once(child, 'exit', { signal: ended.signal }).then(() => {
    throw new Error('the measured process ended');
  });
  gone.catch(() => undefined);
  try {
    const answered = once(child, 'message', { signal: ended.signal });
    answered.catch(() => undefined);
    child.send(order);
    const [message] = await Promise.race([answered, gone]);
    return message;
  } finally {
    ended.abort();
  }
}

interface Failed {
  readonly answer: 'failed';
  readonly error: string;
}

/** The same where answers have a kind. Rejects for one of another kind, and for one that says what failed. */
export async function askFor<Answer extends { readonly answer: string }, Kind extends Answer['answer']>(
  child: ChildProcess,
  order: string | object,
  kind: Kind,
): Promise<Extract<Answer, { readonly answer: Kind }>> {
  const message = (await ask(child, order)) as Answer | Failed;
  if (message.answer === 'failed') throw new Error((message as Failed).error);
  if (message.answer !== kind) throw new Error(`answered ${message.answer} to ${JSON.stringify(order)}`);
  return message as Extract<Answer, { readonly answer: Kind }>;
}

/** It stops by itself once nobody is there to talk to. */
export async function endOf(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  if (child.connected) child.disconnect();
  await ended;
}
