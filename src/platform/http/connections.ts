/**
 * The connections of one server: how many there are, which of them have no request in work, and who gives way when there is no room for
 * one more. Made by `http-server.ts`.
 *
 * First the one that has said nothing for the longest time gives way, then one that is kept alive, then one that does not read its answer:
 * a client that sends its request at once is served, however many others connect and say nothing.
 *
 * A connection with a request in work counts in the room of that kind of request, where it has one. Rooms are cut out of the whole, and some
 * of it always stays for those that have not said yet what they want: so a full room costs nobody but its own kind.
 *
 * What a client asks for and does not read is held in memory until it does: an answer has a time, and requests in advance have a number.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { CcxError } from '../../encoding/ccx-error.ts';
import type { Clock } from '../clock/clock.ts';
import type { ConnectionMemory } from './connection-memory.ts';

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
  /** One counts from its handshake on, and what is read and written are its plain bytes. */
  readonly isEncrypted?: boolean;
  /** Sees how many there are with each one that comes, and once a second. */
  readonly memory?: ConnectionMemory | undefined;
  /** A connection that there was no room for, or that the system had no descriptor for. Must not throw. */
  readonly onRefused: () => void;
}

export interface ConnectionRoomOptions {
  /** Connections with such a request in work. */
  readonly connectionsMax: number;
  /** Where all of them read their answers: ends one of them and answers true, or answers false. */
  readonly makeRoom?: () => boolean;
}

/** Room for the connections of one kind of request. */
export interface ConnectionRoom {
  /** From now until it is answered. False where the room is full and nobody in it gives way: the caller answers 503. */
  admit(request: IncomingMessage, response: ServerResponse): boolean;
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
  readonly #requests: InWork = new Map();
  /** The same, and that of each room. */
  readonly #inWork: InWork[] = [this.#requests];
  /** Kept alive after an answer, in the order in which that was. */
  readonly #kept = new Set<Socket>();
  /** Have an answer that the system does not take more of: how many bytes it took, and since when. */
  readonly #unread = new Map<Socket, { readonly takenBytes: number; readonly sinceMs: number }>();
  #unreserved: number;
  #stopLooking: () => void = () => undefined;
  #closing = false;

  constructor(server: Server, options: ConnectionsOptions) {
    this.#options = options;
    this.#unreserved = options.connectionsMax;
    server.on('listening', () => {
      this.#stopLooking();
      this.#stopLooking = options.clock.every(overdueCheckedEveryMs, () => {
        this.#closeMute();
        this.#closeUnread();
        options.memory?.observe(this.#open.size);
      });
    });
    server.on(options.isEncrypted === true ? 'secureConnection' : 'connection', (socket: Socket) =>
      this.#opened(socket),
    );
    server.on('request', (request: IncomingMessage, response: ServerResponse) => this.#requested(request, response));
    // The system has no descriptor left to accept with. The server goes on listening.
    server.on('error', () => {
      if (server.listening) options.onRefused();
    });
  }

  get count(): number {
    return this.#open.size;
  }

  /** Cuts a room out of the whole. Throws where nothing would be left for connections that have not sent a request yet. */
  room({ connectionsMax, makeRoom }: ConnectionRoomOptions): ConnectionRoom {
    if (connectionsMax >= this.#unreserved) {
      throw new CcxError(`there is no room for ${connectionsMax} connections of one kind among ${this.#unreserved}`, {
        code: 'CONNECTIONS_SHARED_OUT',
        category: 'configuration',
      });
    }
    this.#unreserved -= connectionsMax;
    const inWork: InWork = new Map();
    this.#inWork.push(inWork);
    return {
      admit: ({ socket }, response) => {
        if (!inWork.has(socket) && inWork.size >= connectionsMax) {
          const unread = this.#longestUnread(inWork);
          unread?.destroy();
          if (unread === undefined && makeRoom?.() !== true) return false;
        }
        count(inWork, socket, response);
        return true;
      },
    };
  }

  /** Node counts connections without a request as busy, and closing would wait for them for a minute. */
  close(): void {
    this.#closing = true;
    this.#stopLooking();
    for (const socket of this.#silentSinceMs.keys()) socket.destroy();
  }

  #opened(socket: Socket): void {
    socket.once('close', () => {
      for (const sockets of [this.#open, this.#silentSinceMs, this.#kept, this.#unread, ...this.#inWork]) {
        sockets.delete(socket);
      }
    });
    if (this.#closing) {
      socket.destroy();
      return;
    }
    if (this.#open.size >= this.#options.connectionsMax && !this.#makeRoom()) {
      socket.on('error', () => undefined);
      socket.end(busyAnswer, () => socket.destroy());
      this.#options.onRefused();
      return;
    }
    this.#open.add(socket);
    this.#silentSinceMs.set(socket, this.#options.clock.monotonicMs());
    this.#options.memory?.observe(this.#open.size);
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
    if (count(this.#requests, socket, response) > pipelinedMax) socket.destroy();
    response.once('close', () => {
      if (!this.#requests.has(socket) && this.#open.has(socket) && !socket.destroyed) this.#kept.add(socket);
    });
  }

  #makeRoom(): boolean {
    const [silent] = this.#silentSinceMs;
    const [kept] = this.#kept;
    // What a client sends at once is read a little after its connection is there.
    const isLate = silent !== undefined && this.#options.clock.monotonicMs() - silent[1] >= silentMsMin;
    const victim = isLate ? silent[0] : (kept ?? this.#longestUnread(this.#unread) ?? silent?.[0]);
    if (victim === undefined) return false;
    this.#open.delete(victim);
    victim.destroy();
    return true;
  }

  #longestUnread(among: ReadonlyMap<Socket, unknown>): Socket | undefined {
    let longest: Socket | undefined;
    let leastMs = this.#options.clock.monotonicMs() - unreadGivesWayMs;
    for (const [socket, { sinceMs }] of this.#unread) {
      if (sinceMs > leastMs || socket.writableLength === 0 || !this.#open.has(socket) || !among.has(socket)) continue;
      longest = socket;
      leastMs = sinceMs;
    }
    return longest;
  }
}

/** How many requests of each connection are in work: a client may send its next one before the last one is answered. */
type InWork = Map<Socket, number>;

/**
 * Counts a request until it is answered. Answers how many there are of its connection. An answer that has not begun when its connection ends
 * may never close: `#opened` counts for it.
 */
function count(inWork: InWork, socket: Socket, response: ServerResponse): number {
  const already = inWork.get(socket) ?? 0;
  inWork.set(socket, already + 1);
  response.once('close', () => {
    const left = (inWork.get(socket) ?? 1) - 1;
    if (left === 0) inWork.delete(socket);
    else inWork.set(socket, left);
  });
  return already + 1;
}

/** Connections get this share of the process's descriptors at most: what they ask for needs files beside them. */
const descriptorShare = 0.5;

export interface ConnectionsLimit {
  readonly wanted: number;
  readonly taken: number;
  /** How many files and connections this process may have open at once. */
  readonly descriptorsMax: number;
}

/** As many connections as are wanted, unless the process may not open so much. */
export function limitConnections(wanted: number): ConnectionsLimit {
  const descriptorsMax = openFilesMax() ?? Number.POSITIVE_INFINITY;
  return { wanted, taken: Math.min(wanted, Math.floor(descriptorsMax * descriptorShare)), descriptorsMax };
}

/** Undefined where there is no limit. Node itself has raised the soft limit to the hard one when it started. */
function openFilesMax(): number | undefined {
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
