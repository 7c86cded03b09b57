/**
 * The configuration document that Clowder, the operator that deploys the hosted services, mounts into a container, named by `ACG_CONFIG`.
 * Ingress reads it in its own way; for the drop-in programs its brokers, topic and database override everything else. Members that nobody
 * reads are not demanded, and a broker may lack its port. Source: notification-writer.md 2.6, notification-service.md 3.5, ingress.md A.11.1.
 */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { errorText } from '../../encoding/ccx-error.ts';

const port = z.number().int();
const text = z.string().nullish();

const broker = z.object({
  hostname: z.string(),
  port: port.nullish(),
  authtype: text,
  cacert: text,
  securityProtocol: text,
  sasl: z.object({ username: text, password: text, saslMechanism: text, securityProtocol: text }).nullish(),
});

const bucket = z.object({
  name: z.string(),
  requestedName: z.string(),
  accessKey: text,
  secretKey: text,
  region: text,
});

/** All that somebody reads. A reader picks its members, so that what is wrong elsewhere is not its concern. Null stands for absent. */
export const clowderDocument = z.object({
  publicPort: port.nullish(),
  metricsPort: port.nullish(),
  kafka: z
    .object({
      brokers: z.array(broker).default([]),
      topics: z.array(z.object({ name: z.string(), requestedName: z.string() })).default([]),
    })
    .nullish(),
  database: z
    .object({ hostname: z.string(), port, name: z.string(), username: z.string(), password: z.string() })
    .nullish(),
  objectStore: z
    .object({ hostname: z.string(), port, tls: z.boolean().nullish(), buckets: z.array(bucket).nullish() })
    .nullish(),
  logging: z.object({ cloudwatch: z.object({ accessKeyId: text }).nullish() }).nullish(),
});

const dropInDocument = clowderDocument.pick({ kafka: true, database: true });
type ClowderBroker = z.infer<typeof broker>;

/** `broker-1:9096`, or the host alone. */
export function brokerAddresses(brokers: readonly ClowderBroker[]): string[] {
  return brokers.map(({ hostname, port }) => (port == null ? hostname : `${hostname}:${port}`));
}

interface ClowderOverrides {
  /** By option key. */
  readonly values: Record<string, string>;
  /** For standard output; scripts look for `Clowder is enabled` and `Clowder is disabled`. */
  readonly lines: string[];
  /** The brokers' certificate authority, PEM. */
  ca: string | undefined;
}

/**
 * For the drop-in programs. A document that cannot be read is reported and otherwise as good as none; what of a broker is not there is left
 * as configured, where the reference crashes (Q6).
 */
export function readClowder(path: string, section: 'broker' | 'kafka_broker', topic: string): ClowderOverrides {
  const overrides: ClowderOverrides = { values: {}, lines: ['Clowder is enabled'], ca: undefined };
  const { values, lines } = overrides;
  let document: z.infer<typeof dropInDocument>;
  try {
    document = dropInDocument.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch (error) {
    return { ...overrides, lines: [`cannot read ${path}: ${reasonOf(error)}`, 'Clowder is disabled'] };
  }
  const { kafka, database } = document;
  if (kafka == null) lines.push('Clowder has no Kafka configuration');
  else {
    addBrokers(overrides, kafka.brokers, section);
    const mapped = kafka.topics.find(({ requestedName }) => requestedName === topic);
    if (mapped === undefined) lines.push(`no mapping for topic ${topic}`);
    else values[`${section}.topic`] = mapped.name;
  }
  if (database == null) lines.push('Clowder has no storage section');
  else {
    Object.assign(values, {
      'storage.pg_db_name': database.name,
      'storage.pg_host': database.hostname,
      'storage.pg_port': String(database.port),
      'storage.pg_username': database.username,
      'storage.pg_password': database.password,
    });
  }
  return overrides;
}

function addBrokers(
  overrides: ClowderOverrides,
  brokers: readonly ClowderBroker[],
  section: 'broker' | 'kafka_broker',
): void {
  const { values, lines } = overrides;
  const [first] = brokers;
  if (first === undefined) return void lines.push('Clowder has no broker configurations');
  values[`${section}.addresses`] = brokerAddresses(brokers).join(',');
  if (first.authtype == null) return;
  lines.push('kafka is configured to use authentication');
  if (first.sasl == null) return void lines.push('SASL configuration is missing');
  const { username, password, saslMechanism } = first.sasl;
  // The reference's notification service reads the protocol beside the password; documents of today have it at the broker.
  const nested = section === 'kafka_broker' ? first.sasl.securityProtocol : undefined;
  const securityProtocol = nested ?? first.securityProtocol;
  if (username != null) values[`${section}.sasl_username`] = username;
  if (password != null) values[`${section}.sasl_password`] = password;
  if (saslMechanism != null) values[`${section}.sasl_mechanism`] = saslMechanism;
  if (securityProtocol != null) values[`${section}.security_protocol`] = securityProtocol;
  overrides.ca = first.cacert ?? undefined;
}

/** The parser's own words would quote the document, which holds passwords. */
function reasonOf(error: unknown): string {
  if (error instanceof z.ZodError) return z.prettifyError(error).replaceAll('\n', ' ');
  return error instanceof SyntaxError ? 'it is not JSON' : errorText(error);
}
