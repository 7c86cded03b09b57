/**
 * Connections to brokers, one per address and purpose. Made from the client library's `Connection`, not from its pool: a connection here
 * is shared while it is being made, gone as soon as it fails, and an error that nobody waits for can never end the process.
 *
 * Purposes are kept apart because a broker answers a connection's requests one after another: a fetch or a rebalance that waits would hold
 * up everything behind it.
 */
import { isIP } from 'node:net';
import { Connection, type ConnectionOptions } from '@platformatic/kafka';
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
    connection.on('error', onGone);
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
      throw this.failed(error, address);
    }
    if (this.#closed) destroy(connection);
    return connection;
  }

  failed(error: unknown, address: BrokerAddress): CcxError {
    return connectionFailed(error, `${address.host}:${address.port}`, this.#options.names);
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
                ? { mechanism: sasl.mechanism, token: sasl.token }
                : { mechanism: sasl.mechanism, username: sasl.user, password: sasl.password },
          }),
    };
  }
}

/** At once, without waiting for what is under way. */
export function destroy(connection: Connection): void {
  connection.socket?.destroy();
}
