/**
 * Connections to brokers, one per address and purpose. Made from the client library's `Connection`, not from its pool: a connection here
 * is shared while it is being made, gone as soon as it fails, and an error that nobody waits for can never end the process.
 *
 * Purposes are kept apart because a broker answers a connection's requests one after another: a fetch or a rebalance that waits would hold
 * up everything behind it.
 */
import { isIP } from 'node:net';
import { AuthenticationError, Connection, type ConnectionOptions } from '@platformatic/kafka';
import type { CcxError } from '../../../contracts/ccx-error.ts';
import { connectionFailed } from './kafka-errors.ts';
import type { KafkaSecurity, KafkaSettingNames } from './kafka-security.ts';
import { answerMarginMs, connectMsMax, inflightsMax, rebalanceMsMax } from './limits.ts';

export type Purpose = 'control' | 'produce' | 'fetch' | 'group';

export interface BrokerAddress {
  readonly host: string;
  readonly port: number;
}

export interface ConnectionsOptions {
  readonly clientId: string;
  readonly security: KafkaSecurity;
  readonly names: KafkaSettingNames;
}

export class BrokerConnections {
  readonly #options: ConnectionsOptions;
  readonly #open = new Map<string, Promise<Connection>>();
  /** Why a socket broke. Requests on it only hear that it was closed; a TLS 1.3 server refuses a client certificate after the handshake. */
  readonly #broken = new WeakMap<Connection, Error>();
  #closed = false;

  constructor(options: ConnectionsOptions) {
    this.#options = options;
  }

  /** Rejects with `BUS_UNREACHABLE`, `BUS_AUTH` or `BUS_TLS`. */
  get(address: BrokerAddress, purpose: Purpose): Promise<Connection> {
    const key = `${purpose} ${address.host}:${address.port}`;
    const known = this.#open.get(key);
    if (known !== undefined) return known;
    const connecting = this.#connect(address, () => {
      if (this.#open.get(key) === connecting) this.#open.delete(key);
    });
    this.#open.set(key, connecting);
    return connecting;
  }

  /** Ends every connection at once; what is under way on them fails. */
  async close(): Promise<void> {
    this.#closed = true;
    const connections = await Promise.allSettled(this.#open.values());
    for (const connection of connections) if (connection.status === 'fulfilled') destroy(connection.value);
    this.#open.clear();
  }

  async #connect(address: BrokerAddress, onGone: () => void): Promise<Connection> {
    const connection = new Connection(this.#options.clientId, this.#connectionOptions(address.host));
    connection.on('error', (error) => {
      this.#broken.set(connection, error);
      onGone();
    });
    connection.on('close', onGone);
    connection.on('closing', onGone);
    try {
      const connected = connection.connect(address.host, address.port);
      // The library listens once; a second error of a dying socket would otherwise be nobody's.
      connection.socket.on('error', () => undefined);
      await connected;
    } catch (error) {
      onGone();
      destroy(connection);
      throw this.failed(error, address, connection);
    }
    if (this.#closed) destroy(connection);
    return connection;
  }

  failed(error: unknown, address: BrokerAddress, connection: Connection): CcxError {
    return connectionFailed(
      this.#broken.get(connection) ?? error,
      `${address.host}:${address.port}`,
      this.#options.names,
    );
  }

  #connectionOptions(host: string): ConnectionOptions {
    const { tls, sasl } = this.#options.security;
    return {
      connectTimeout: connectMsMax,
      // Each request has its own, shorter limit in `cluster.ts`; this one only keeps a lost answer from being waited for for ever.
      requestTimeout: rebalanceMsMax + 2 * answerMarginMs,
      maxInflights: inflightsMax,
      ...(tls === undefined
        ? {}
        : {
            tls: {
              minVersion: 'TLSv1.2',
              ...(tls.ca === undefined ? {} : { ca: tls.ca }),
              ...(tls.certificate === undefined ? {} : { cert: tls.certificate, key: tls.key }),
            },
            // Node refuses to send an IP address as the name of a server.
            ...(isIP(host) === 0 ? { tlsServerName: host } : {}),
          }),
      ...(sasl === undefined
        ? {}
        : {
            sasl:
              sasl.mechanism === 'OAUTHBEARER'
                ? { mechanism: sasl.mechanism, token: sasl.token, authBytesValidator: checkTokenAnswer }
                : { mechanism: sasl.mechanism, username: sasl.user, password: sasl.password },
          }),
    };
  }
}

/** At once, without waiting for what is under way. */
export function destroy(connection: Connection): void {
  // `close` alone would wait for the socket to drain; it is what ends the timer of the next login.
  connection.close().catch(() => undefined);
  connection.socket?.destroy();
}

/**
 * A broker refuses a token with a success that says so in its text (RFC 7628); an accepted one has no text. The library's own check
 * calls back twice and lets the connection pass.
 */
function checkTokenAnswer(answer: Buffer, callback: (error: Error | null, answer?: Buffer) => void): void {
  if (answer.length === 0) callback(null, answer);
  else callback(new AuthenticationError(`the broker refused the token: ${answer.toString('utf8')}`));
}
