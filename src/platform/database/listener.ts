/**
 * LISTEN on one dedicated connection for all channels of a database. A notification is only a hint: after every reconnect each channel
 * gets one empty call, since something may have been missed. Refused behind a pooler. Used by `connectDatabase`; polling is the callers'
 * business.
 */
import pg from 'pg';
import { CcxError } from '../../encoding/ccx-error.ts';
import { backoffMs } from '../clock/backoff.ts';
import type { Clock } from '../clock/clock.ts';
import { type DatabaseAddress, mapConnectError } from './database-error.ts';
import type { RotatedLogin } from './rotated-login.ts';
import { SessionClient } from './session.ts';

/** Reconnects of LISTEN: the first is quick because most outages are a restart, the last is bounded because polling is the truth. */
const listenRetry = { msMin: 100, msMax: 5_000 };

type OnNotify = (payload: string) => void;

export class Listener {
  readonly #config: pg.ClientConfig;
  readonly #address: DatabaseAddress;
  readonly #login: RotatedLogin | undefined;
  readonly #clock: Clock;
  readonly #channels = new Map<string, Set<OnNotify>>();
  readonly #closing = new AbortController();
  #client: pg.Client | undefined;
  #connecting: Promise<pg.Client> | undefined;
  #reconnecting: Promise<void> | undefined;

  constructor(options: {
    readonly config: pg.ClientConfig;
    readonly address: DatabaseAddress;
    readonly login: RotatedLogin | undefined;
    readonly clock: Clock;
  }) {
    this.#config = options.config;
    this.#address = options.address;
    this.#login = options.login;
    this.#clock = options.clock;
  }

  /** Resolves once the server listens; rejects when the first connection fails. During a reconnect it resolves at once. */
  async listen(channel: string, onNotify: OnNotify): Promise<() => Promise<void>> {
    // An own function object per call, so that one callback may be registered twice and each stop removes its own.
    const own: OnNotify = (payload) => onNotify(payload);
    const listeners = this.#channels.get(channel) ?? new Set<OnNotify>();
    listeners.add(own);
    this.#channels.set(channel, listeners);
    const stop = async () => {
      if (!listeners.delete(own) || listeners.size > 0) return;
      this.#channels.delete(channel);
      await this.#unlisten(channel);
    };
    if (this.#reconnecting === undefined) {
      try {
        const client = await this.#connected();
        await client.query(`LISTEN ${pg.escapeIdentifier(channel)}`);
      } catch (error) {
        listeners.delete(own);
        if (listeners.size === 0) this.#channels.delete(channel);
        throw mapConnectError(error, this.#address);
      }
    }
    return stop;
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#channels.clear();
    await this.#reconnecting;
    await this.#connecting?.catch(() => undefined);
    await this.#disconnect();
  }

  async #unlisten(channel: string): Promise<void> {
    if (this.#channels.size === 0) {
      await this.#disconnect();
    } else {
      // A broken connection forgets its channels by itself; the reconnect asks for the remaining ones only.
      await this.#client?.query(`UNLISTEN ${pg.escapeIdentifier(channel)}`).catch(() => undefined);
    }
  }

  async #disconnect(): Promise<void> {
    const client = this.#client;
    this.#client = undefined;
    await client?.end().catch(() => undefined);
  }

  #connected(): Promise<pg.Client> {
    if (this.#client !== undefined) return Promise.resolve(this.#client);
    const connect = () => this.#connect();
    this.#connecting ??= (this.#login === undefined ? connect() : this.#login.connecting(connect)).finally(() => {
      this.#connecting = undefined;
    });
    return this.#connecting;
  }

  async #connect(): Promise<pg.Client> {
    const client = new SessionClient(this.#config, this.#login);
    client.on('error', () => this.#onLost(client));
    client.on('end', () => this.#onLost(client));
    client.on('notification', (message) => {
      for (const onNotify of [...(this.#channels.get(message.channel) ?? [])]) onNotify(message.payload ?? '');
    });
    await client.connect();
    if (this.#closing.signal.aborted) {
      await client.end().catch(() => undefined);
      throw new Error('Cannot use a pool after calling end on the pool');
    }
    if (await client.isPooled()) {
      // It would be accepted, hints would come now and then, and a session of the server would stay in it for whoever gets it next.
      await client.end().catch(() => undefined);
      throw new CcxError('LISTEN needs a session of its own, and a connection pooler is in between', {
        code: 'DATABASE_POOLED',
        category: 'configuration',
        hint: `nothing is lost, polling finds everything; for shorter delays let ${this.#address.setting} lead to the server itself`,
      });
    }
    this.#client = client;
    return client;
  }

  #onLost(client: pg.Client): void {
    if (this.#client !== client) return;
    this.#client = undefined;
    client.end().catch(() => undefined);
    this.#reconnecting ??= this.#reconnect().finally(() => {
      this.#reconnecting = undefined;
    });
  }

  async #reconnect(): Promise<void> {
    for (let attempt = 1; this.#channels.size > 0 && !this.#closing.signal.aborted; attempt += 1) {
      try {
        await this.#clock.sleep(backoffMs(listenRetry, attempt, this.#clock.random()), this.#closing.signal);
        const client = await this.#connected();
        for (const channel of [...this.#channels.keys()]) await client.query(`LISTEN ${pg.escapeIdentifier(channel)}`);
        break;
      } catch {
        // Not told to anybody: statements on the pool meet the same outage and say so.
        await this.#disconnect();
      }
    }
    for (const listeners of [...this.#channels.values()]) for (const onNotify of [...listeners]) onNotify('');
  }
}
