/**
 * The connections of one server: how many there are, which of them have no request in work, and who gives way when there is no room for
 * one more. Made by `http-server.ts`.
 *
 * First the one that has said nothing for the longest time gives way, then one that is kept alive, then one that does not read its answer,
 * then a request that its service can do without: a client that sends its request at once is served, however many others connect and say
 * nothing.
 *
 * What a client asks for and does not read is held in memory until it does: an answer has a time, and requests in advance have a number.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Clock } from '../clock/clock.ts';

/** How often overdue first bytes, headers and requests are looked for: Node's own 30 s would turn 15 s into 15 to 45. */
export const overdueCheckedEveryMs = 1_000;

/** A connection whose first byte has not come by then; whoever connects has something to say. */
export const firstByteMsMax = 5_000;
/** An answer of which nothing was taken for so long has no reader. */
export const unreadMsMax = 30_000;
/** Where there is no room for another connection, one whose answer was not read for so long gives way. */
export const unreadGivesWayMs = 5_000;
/** Requests that a client may send before the first of them is answered; those that take them one by one send one. */
export const pipelinedMax = 16;

interface ConnectionsOptions {
  readonly connectionsMax: number;
  readonly clock: Clock;
  /** Where every connection has a request in work: ends one of them and answers true, or answers false. */
  readonly makeRoom?: () => boolean;
  /** How many there are now, after each one that comes. Must not throw. */
  readonly onOpened?: (count: number) => void;
  /** A connection that there was no room for, or that the system had no descriptor for. Must not throw. */
  readonly onRefused?: () => void;
}

const busyAnswer =
  'HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\nRetry-After: 30\r\n' +
  'Connection: close\r\n\r\ntoo many connections, try again later\n';

/** A connection that has said nothing for so long gives way before those that have a request in work. */
const silentMsMin = 1_000;

export class Connections {
  readonly #options: ConnectionsOptions;
  readonly #open = new Set<Socket>();
  /** Have not sent a request yet, and since when, in the order in which they came. */
  readonly #silentSinceMs = new Map<Socket, number>();
  readonly #requests = new WeakMap<Socket, number>();
  /** Kept alive after an answer, in the order in which that was. */
  readonly #kept = new Set<Socket>();
  /** Have an answer that the system does not take more of: how many bytes it took, and since when. */
  readonly #unread = new Map<Socket, { readonly takenBytes: number; readonly sinceMs: number }>();
  #stopLooking: () => void = () => undefined;
  #closing = false;

  constructor(server: Server, options: ConnectionsOptions) {
    this.#options = options;
    server.on('listening', () => {
      this.#stopLooking();
      this.#stopLooking = options.clock.every(overdueCheckedEveryMs, () => {
        this.#closeMute();
        this.#closeUnread();
      });
    });
    server.on('connection', (socket: Socket) => this.#opened(socket));
    server.on('request', (request: IncomingMessage, response: ServerResponse) => this.#requested(request, response));
    // The system has no descriptor left to accept with. The server goes on listening.
    server.on('error', () => {
      if (server.listening) options.onRefused?.();
    });
  }

  get count(): number {
    return this.#open.size;
  }

  /** Node counts connections without a request as busy, and closing would wait for them for a minute. */
  close(): void {
    this.#closing = true;
    this.#stopLooking();
    for (const socket of this.#silentSinceMs.keys()) socket.destroy();
  }

  #opened(socket: Socket): void {
    if (this.#closing) {
      socket.destroy();
      return;
    }
    if (this.#open.size >= this.#options.connectionsMax && !this.#makeRoom()) {
      socket.on('error', () => undefined);
      socket.end(busyAnswer, () => socket.destroy());
      this.#options.onRefused?.();
      return;
    }
    this.#open.add(socket);
    this.#silentSinceMs.set(socket, this.#options.clock.monotonicMs());
    this.#options.onOpened?.(this.#open.size);
    socket.once('close', () => {
      for (const sockets of [this.#open, this.#silentSinceMs, this.#kept, this.#unread]) sockets.delete(socket);
    });
  }

  /** Those without a single byte; headers that have begun have a time of their own. */
  #closeMute(): void {
    const nowMs = this.#options.clock.monotonicMs();
    for (const [socket, sinceMs] of this.#silentSinceMs) {
      if (nowMs - sinceMs < firstByteMsMax) break;
      if (socket.bytesRead === 0) socket.destroy();
    }
  }

  #closeUnread(): void {
    const nowMs = this.#options.clock.monotonicMs();
    for (const socket of this.#open) {
      const takenBytes = socket.bytesWritten - socket.writableLength;
      const before = this.#unread.get(socket);
      if (socket.writableLength === 0) this.#unread.delete(socket);
      else if (before?.takenBytes !== takenBytes) this.#unread.set(socket, { takenBytes, sinceMs: nowMs });
      else if (nowMs - before.sinceMs >= unreadMsMax) socket.destroy();
    }
  }

  #requested({ socket }: IncomingMessage, response: ServerResponse): void {
    this.#silentSinceMs.delete(socket);
    this.#kept.delete(socket);
    // A client may send its next request before the last one is answered.
    const inWork = (this.#requests.get(socket) ?? 0) + 1;
    this.#requests.set(socket, inWork);
    if (inWork > pipelinedMax) socket.destroy();
    response.once('close', () => {
      const left = (this.#requests.get(socket) ?? 1) - 1;
      this.#requests.set(socket, left);
      if (left === 0 && this.#open.has(socket) && !socket.destroyed) this.#kept.add(socket);
    });
  }

  #makeRoom(): boolean {
    const [silent] = this.#silentSinceMs;
    const [kept] = this.#kept;
    // What a client sends at once is read a little after its connection is there.
    const isLate = silent !== undefined && this.#options.clock.monotonicMs() - silent[1] >= silentMsMin;
    const socket = isLate ? silent[0] : (kept ?? this.#longestUnread());
    if (socket === undefined && this.#options.makeRoom?.() === true) return true;
    const victim = socket ?? silent?.[0];
    if (victim === undefined) return false;
    this.#open.delete(victim);
    victim.destroy();
    return true;
  }

  #longestUnread(): Socket | undefined {
    let longest: Socket | undefined;
    let leastMs = this.#options.clock.monotonicMs() - unreadGivesWayMs;
    for (const [socket, { sinceMs }] of this.#unread) {
      if (sinceMs > leastMs || socket.writableLength === 0 || !this.#open.has(socket)) continue;
      longest = socket;
      leastMs = sinceMs;
    }
    return longest;
  }
}

/**
 * How many files and connections this process may have open at once; undefined where there is no limit. Node itself has raised the soft
 * limit to the hard one when it started.
 */
export function openFilesMax(): number | undefined {
  // The types do not know the member yet.
  const report = process.report as NodeJS.ProcessReport & { excludeNetwork: boolean };
  const before = report.excludeNetwork;
  // It would look up the names of everybody we are connected to.
  report.excludeNetwork = true;
  const { userLimits } = report.getReport() as {
    readonly userLimits?: { readonly open_files?: { readonly soft?: unknown } };
  };
  report.excludeNetwork = before;
  const limit = userLimits?.open_files?.soft;
  return typeof limit === 'number' ? limit : undefined;
}
