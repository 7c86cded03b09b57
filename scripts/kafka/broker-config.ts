/** server.properties of one broker of a test cluster (KRaft, broker and controller in one process), with its listeners. */
import { join } from 'node:path';

export interface BrokerPorts {
  readonly plaintext: number;
  readonly controller: number;
  readonly ssl: number;
  readonly saslPlaintext: number;
  readonly saslSsl: number;
  readonly mutualTls: number;
}

/** A plain text listener that tells its clients to come back through another port: where a test's proxy listens. */
export interface ProxiedListener {
  readonly port: number;
  readonly advertisedPort: number;
}

export interface BrokerConfig {
  readonly nodeId: number;
  readonly folder: string;
  readonly ports: BrokerPorts;
  /** Every broker's controller, `id@host:port`. */
  readonly voters: readonly string[];
  /** Present: TLS and SASL listeners are on as well, with the keys below that folder. */
  readonly securityFolder: string | undefined;
  readonly replicas: number;
  readonly proxied: ProxiedListener | undefined;
  /** Added to what follows from the others, and stronger. */
  readonly properties: Readonly<Record<string, string>>;
}

/** Accounts of the SASL listeners: user and password. */
export const kafkaUsers = { admin: 'admin-secret', ccx: 'ccx-secret' } as const;

export function renderBrokerConfig(config: BrokerConfig): string {
  const { ports } = config;
  const secure = config.securityFolder !== undefined;
  const listeners = [`PLAINTEXT://127.0.0.1:${ports.plaintext}`, `CONTROLLER://127.0.0.1:${ports.controller}`];
  if (secure) {
    listeners.push(
      `SSL://127.0.0.1:${ports.ssl}`,
      `SASL_PLAINTEXT://127.0.0.1:${ports.saslPlaintext}`,
      `SASL_SSL://127.0.0.1:${ports.saslSsl}`,
      `MUTUAL_TLS://127.0.0.1:${ports.mutualTls}`,
    );
  }
  const advertised = listeners.filter((listener) => !listener.startsWith('CONTROLLER'));
  if (config.proxied !== undefined) {
    listeners.push(`PROXIED://127.0.0.1:${config.proxied.port}`);
    advertised.push(`PROXIED://127.0.0.1:${config.proxied.advertisedPort}`);
  }
  const properties: Record<string, string> = {
    'process.roles': 'broker,controller',
    'node.id': String(config.nodeId),
    'controller.quorum.voters': config.voters.join(','),
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'PLAINTEXT',
    'listener.security.protocol.map':
      'PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT,SSL:SSL,MUTUAL_TLS:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL',
    listeners: listeners.join(','),
    'advertised.listeners': advertised.join(','),
    'log.dirs': join(config.folder, 'data'),
    'num.partitions': '3',
    'default.replication.factor': String(config.replicas),
    'min.insync.replicas': String(Math.min(2, config.replicas)),
    'offsets.topic.replication.factor': String(config.replicas),
    'offsets.topic.num.partitions': '4',
    'transaction.state.log.replication.factor': String(config.replicas),
    'transaction.state.log.min.isr': String(Math.min(2, config.replicas)),
    'transaction.state.log.num.partitions': '4',
    'group.initial.rebalance.delay.ms': '0',
    // Tests want members to be missed soon.
    'group.min.session.timeout.ms': '500',
    'auto.create.topics.enable': 'false',
    'controlled.shutdown.enable': 'true',
    // Tests kill brokers and wait for the failover; production keeps longer sessions.
    'broker.session.timeout.ms': '6000',
    'replica.lag.time.max.ms': '5000',
    'log.flush.interval.messages': '9223372036854775807',
    'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
    'super.users': 'User:ANONYMOUS;User:admin',
    'allow.everyone.if.no.acl.found': 'true',
  };
  if (config.securityFolder !== undefined) {
    const tls = {
      'ssl.keystore.type': 'PEM',
      'ssl.keystore.location': join(config.securityFolder, 'broker.pem'),
      'ssl.truststore.type': 'PEM',
      'ssl.truststore.location': join(config.securityFolder, 'ca.pem'),
      'ssl.client.auth': 'none',
      'listener.name.mutual_tls.ssl.client.auth': 'required',
    };
    Object.assign(properties, tls, { 'sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER' });
    const plainUsers = Object.entries(kafkaUsers).map(([user, password]) => `user_${user}="${password}"`);
    for (const listener of ['sasl_plaintext', 'sasl_ssl']) {
      const prefix = `listener.name.${listener}`;
      properties[`${prefix}.plain.sasl.jaas.config`] =
        `org.apache.kafka.common.security.plain.PlainLoginModule required ${plainUsers.join(' ')};`;
      for (const digest of ['256', '512']) {
        properties[`${prefix}.scram-sha-${digest}.sasl.jaas.config`] =
          'org.apache.kafka.common.security.scram.ScramLoginModule required;';
      }
      properties[`${prefix}.oauthbearer.sasl.jaas.config`] =
        'org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="admin";';
    }
  }
  return Object.entries({ ...properties, ...config.properties })
    .map(([key, value]) => `${key}=${value}`)
    .join('\n')
    .concat('\n');
}
