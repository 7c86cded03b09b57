/**
 * What a stand-in does wrong on purpose, and how often. Tests put faults in; the stand-in takes one for each request that it fits.
 */
import type { FastifyReply } from 'fastify';
import type { Clock } from '../../platform/clock/clock.ts';

export type Fault =
  /** An error answer without any effect. */
  | { readonly kind: 'status'; readonly status: number; readonly retryAfter?: string; readonly body?: string }
  /** A proxy's page instead of an answer. */
  | { readonly kind: 'html'; readonly status: number }
  /** The effect happens, the answer says otherwise. */
  | { readonly kind: 'commit-then-status'; readonly status: number }
  /** The effect happens, the connection breaks. */
  | { readonly kind: 'commit-then-reset' }
  /** The effect happens, the answer never comes. */
  | { readonly kind: 'commit-then-hang' }
  /** The answer's head comes at once, its body never ends. */
  | { readonly kind: 'commit-then-slow-body' }
  | { readonly kind: 'reset' }
  | { readonly kind: 'hang' }
  /** An ordinary answer, later. */
  | { readonly kind: 'delay'; readonly ms: number };

interface FaultPlan {
  /** The next `count` requests of that kind meet the fault. */
  inject(on: string, fault: Fault, count?: number): void;
  /** Nothing is due any more. */
  clear(): void;
  /** Takes the fault that is due for a request of that kind. */
  take(on: string): Fault | undefined;
}

export function createFaultPlan(): FaultPlan {
  const due: { readonly on: string; readonly fault: Fault }[] = [];
  return {
    inject(on, fault, count = 1) {
      for (let i = 0; i < count; i += 1) due.push({ on, fault });
    },
    clear() {
      due.length = 0;
    },
    take(on) {
      const index = due.findIndex((entry) => entry.on === on);
      return index === -1 ? undefined : due.splice(index, 1)[0]?.fault;
    },
  };
}

interface FaultContext {
  readonly clock: Clock;
  /** Aborts when the stand-in stops, so that nothing that hangs outlives it. */
  readonly stopping: AbortSignal;
}

const htmlPage = '<html><body><h1>502 Bad Gateway</h1></body></html>';

/**
 * Plays a fault on a reply. `commit` has the request's effect and answers; it is called for faults that commit first. Resolves to
 * `answered` when the reply is dealt with, or `go-on` when the ordinary handling shall follow.
 */
export async function playFault(
  fault: Fault,
  reply: FastifyReply,
  context: FaultContext,
  commit: () => Promise<unknown>,
): Promise<'answered' | 'go-on'> {
  switch (fault.kind) {
    case 'status':
      if (fault.retryAfter !== undefined) reply.header('retry-after', fault.retryAfter);
      await reply
        .code(fault.status)
        .type('application/json')
        .send(fault.body ?? '{}');
      return 'answered';
    case 'html':
      await reply.code(fault.status).type('text/html').send(htmlPage);
      return 'answered';
    case 'delay':
      await context.clock.sleep(fault.ms, context.stopping).catch(() => undefined);
      return 'go-on';
    case 'commit-then-status':
      await commit();
      await reply.code(fault.status).type('application/json').send('{}');
      return 'answered';
    case 'commit-then-reset':
      await commit();
      return breakConnection(reply);
    case 'reset':
      return breakConnection(reply);
    case 'commit-then-hang':
      await commit();
      return hang(reply, context);
    case 'hang':
      return hang(reply, context);
    case 'commit-then-slow-body':
      await commit();
      reply.hijack();
      reply.raw.writeHead(201, { 'content-type': 'application/json', 'content-length': '1000' });
      reply.raw.write('{"id":');
      return hang(reply, context);
  }
}

function breakConnection(reply: FastifyReply): 'answered' {
  reply.hijack();
  reply.raw.socket?.resetAndDestroy();
  return 'answered';
}

/** Holds the connection until the client or the stand-in gives it up. */
function hang(reply: FastifyReply, { stopping }: FaultContext): 'answered' {
  if (!reply.sent) reply.hijack();
  const { socket } = reply.raw;
  const give = () => socket?.destroy();
  if (stopping.aborted) give();
  else stopping.addEventListener('abort', give, { once: true });
  return 'answered';
}
