/**
 * Connections to brokers, one per address and purpose. Made from the client library's `Connection`, not from its pool: a connection here
 * is shared while it is being made, gone as soon as it fails, and an error that nobody waits for can never end the process.
 *
 * Purposes are kept apart because a broker answers a connection's requests one after another: a fetch or a rebalance that waits would hold
 * up everything behind it.
 *
 * Brokers may want another login after a while (`connections.max.reauth.ms`, tokens that expire). Between its start and its end they take
 * nothing else, and requests that wait cannot be called back, so nobody logs in twice on one connection: another one is made in time, and
 * the old one ends when what is under way on it is answered.
 */
import { isIP } from 'node:net';
import { Connection, type ConnectionOptions } from '@platformatic/kafka';
import type { CcxError } from '../../../encoding/ccx-error.ts';
import type { Clock } from '../../clock/clock.ts';
import type { KafkaBusSettings } from '../bus-options.ts';
import { connectionFailed, isSilentTlsFailure, speaksPlainText } from './kafka-errors.ts';
import type { BrokerAddress, KafkaSettingNames } from './kafka-security.ts';
import { answerMarginMs, rebalanceMsMax, retryMsMax } from './limits.ts';
import { apis } from './protocol.ts';
import { saslLogin } from './sasl-login.ts';

/** TCP, TLS and login together. */
const connectMsMax = 5_000;
/**
 * Brokers say how long a login holds (5 to 60 minutes as a rule). After this share of it another connection is made, and from the second
 * one on nothing is sent on the old one: a request counts when the broker reads it, which may be a little later.
 */
const loginRenewedShare = 0.75;
const loginUsedShareMax = 0.9;
/** Requests under way per connection: one per partition at most, of which the brokers have many. */
const inflightsMax = 64;

export type Purpose = 'control' | 'produce' | 'fetch' | 'group';

export interface ConnectionsOptions extends Pick<KafkaBusSettings, 'clientId' | 'security'> {
  readonly settingNames: KafkaSettingNames;
  readonly clock: Clock;
}

interface BrokerConnection {
  readonly connection: Connection;
  connected: Promise<unknown>;
  /** Requests under way. */
  requests: number;
  /** From here on another one is made for the requests to come. */
  renewAtMs: number;
  /** From here on the broker may take no request on it. */
  endsAtMs: number;
  successor: BrokerConnection | undefined;
  isRetired: boolean;
}

export class BrokerConnections {
  readonly #options: ConnectionsOptions;
  readonly #current = new Map<string, BrokerConnection>();
  /** Those that ended their time with requests under way, and those that are to follow, as well. */
  readonly #open = new Set<BrokerConnection>();
  /** Why a socket broke. Requests on it only hear that it was closed; a TLS 1.3 server refuses a client certificate after the handshake. */
  readonly #broken = new WeakMap<Connection, Error>();
  #closed = false;

  constructor(options: ConnectionsOptions) {
    this.#options = options;
  }

  /** A connection for one request; released when that has ended, well or not. Rejects with `BUS_UNREACHABLE`, `BUS_AUTH` or `BUS_TLS`. */
  async acquire(address: BrokerAddress, purpose: Purpose) {
    const chosen = this.#choose(address, `${purpose} ${address.host}:${address.port}`);
    // Before anything is waited for: one without requests ends at once when its time is over.
    chosen.requests += 1;
    const release = () => {
      chosen.requests -= 1;
      if (chosen.isRetired && chosen.requests === 0) destroy(chosen.connection);
    };
    try {
      await chosen.connected;
    } catch (error) {
      release();
      throw error;
    }
    return { connection: chosen.connection, release };
  }

  /** Ends every connection at once; what is under way on them fails. */
  async close(): Promise<void> {
    this.#closed = true;
    const open = [...this.#open];
    await Promise.allSettled(open.map(({ connected }) => connected));
    for (const { connection } of open) destroy(connection);
    this.#current.clear();
  }

  failed(error: unknown, address: BrokerAddress, connection: Connection): CcxError {
    return connectionFailed(
      this.#broken.get(connection) ?? error,
      `${address.host}:${address.port}`,
      this.#options.settingNames,
    );
  }

  #choose(address: BrokerAddress, key: string): BrokerConnection {
    const current = this.#current.get(key);
    if (current === undefined) return this.#replace(key, undefined, this.#connect(address));
    const nowMs = this.#options.clock.monotonicMs();
    if (nowMs < current.renewAtMs) return current;
    const successor = current.successor ?? this.#connect(address);
    if (nowMs >= current.endsAtMs) return this.#replace(key, current, successor);
    if (current.successor === undefined) {
      current.successor = successor;
      successor.connected.then(
        () => {
          if (this.#current.get(key) === current) this.#replace(key, current, successor);
        },
        () => {
          // The login that holds still serves meanwhile.
          current.successor = undefined;
          current.renewAtMs = this.#options.clock.monotonicMs() + retryMsMax;
        },
      );
    }
    return current;
  }

  #replace(key: string, old: BrokerConnection | undefined, next: BrokerConnection): BrokerConnection {
    this.#current.set(key, next);
    const onGone = () => {
      if (this.#current.get(key) === next) this.#current.delete(key);
    };
    for (const event of ['error', 'close', 'closing'] as const) next.connection.on(event, onGone);
    next.connected.catch(onGone);
    if (old !== undefined) {
      old.isRetired = true;
      if (old.requests === 0) destroy(old.connection);
    }
    return next;
  }

  #connect(address: BrokerAddress): BrokerConnection {
    const startedMs = this.#options.clock.monotonicMs();
    const connection = new Connection(
      this.#options.clientId,
      this.#connectionOptions(address.host, (lifetimeMs) => {
        if (lifetimeMs <= 0) return;
        // The broker counts from its answer, which is later than this.
        made.renewAtMs = startedMs + lifetimeMs * loginRenewedShare;
        made.endsAtMs = startedMs + lifetimeMs * loginUsedShareMax;
      }),
    );
    connection.on('error', (error) => this.#broken.set(connection, error));
    connection.on('close', () => this.#open.delete(made));
    const made: BrokerConnection = {
      connection,
      connected: Promise.resolve(),
      requests: 0,
      renewAtMs: Number.POSITIVE_INFINITY,
      endsAtMs: Number.POSITIVE_INFINITY,
      successor: undefined,
      isRetired: false,
    };
    this.#open.add(made);
    made.connected = this.#establish(connection, address).catch((error) => {
      this.#open.delete(made);
      throw error;
    });
    return made;
  }

  async #establish(connection: Connection, address: BrokerAddress): Promise<void> {
    try {
      const connected = connection.connect(address.host, address.port);
      // The library listens once; a second error of a dying socket would otherwise be nobody's.
      connection.socket.on('error', () => undefined);
      await connected;
    } catch (error) {
      destroy(connection);
      if (
        this.#options.security.tls !== undefined &&
        isSilentTlsFailure(error) &&
        (await this.#answersPlainText(address))
      ) {
        throw speaksPlainText(error, `${address.host}:${address.port}`, this.#options.settingNames);
      }
      throw this.failed(error, address, connection);
    }
    if (this.#closed) destroy(connection);
  }

  /** A plain text listener ends a TLS handshake without a word, and so does a broker that goes away: only its answer tells. */
  async #answersPlainText({ host, port }: BrokerAddress): Promise<boolean> {
    const connection = new Connection(this.#options.clientId, {
      connectTimeout: connectMsMax,
      requestTimeout: connectMsMax,
    });
    connection.on('error', () => undefined);
    try {
      await connection.connect(host, port);
      await apis.apiVersions.async(connection, 'ccx', '1');
      return true;
    } catch {
      return false;
    } finally {
      destroy(connection);
    }
  }

  #connectionOptions(host: string, onAccepted: (lifetimeMs: number) => void): ConnectionOptions {
    const { tls, sasl } = this.#options.security;
    return {
      connectTimeout: connectMsMax,
      // Each request has its own, shorter limit in `cluster.ts`; this one only keeps a lost answer from being waited for for ever.
      requestTimeout: rebalanceMsMax + 2 * answerMarginMs,
      maxInflights: inflightsMax,
      tls: tls && { minVersion: 'TLSv1.2', ca: tls.ca, cert: tls.certificate, key: tls.key },
      // Node refuses to send an IP address as the name of a server.
      tlsServerName: tls !== undefined && isIP(host) === 0 ? host : undefined,
      sasl: sasl && saslLogin(sasl, onAccepted),
    };
  }
}

/** At once, without waiting for what is under way. */
export function destroy(connection: Connection): void {
  connection.close().catch(() => undefined);
  connection.socket?.destroy();
}
