/**
 * Whether a broker answers and knows a topic, asked by hand in one request (Metadata 12), so that whoever has nothing to send need not load the
 * client's library, which takes longer than the rest of a start. It only ever says that all is well: whatever else comes, and every login,
 * is the client's to try and to explain. Called by `late-kafka-bus.ts`.
 */
import { connect, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { type KafkaSecurity, parseBrokerAddress } from './kafka-security.ts';

/** Of all brokers together; the client then has its own time. */
const lookMsMax = 2_000;
/** Of an answer about one topic, however many brokers and partitions. */
const answerBytesMax = 1024 * 1024;

interface Look {
  readonly brokers: readonly string[];
  readonly security: KafkaSecurity;
  readonly clientId: string;
  /** Absent: any answer will do. */
  readonly topic?: string;
}

/** True where a broker says that the topic is there, with partitions, and may be looked at. False says nothing. Never rejects. */
export async function looksWell(look: Look): Promise<boolean> {
  if (look.security.sasl !== undefined) return false;
  const signal = AbortSignal.timeout(lookMsMax);
  for (const broker of look.brokers) {
    try {
      const answer = await ask(broker, look, signal);
      if (isWell(answer, look.topic)) return true;
    } catch {
      // The next one, or the client, which says what it was.
    }
    if (signal.aborted) break;
  }
  return false;
}

async function ask(broker: string, { security, clientId, topic }: Look, signal: AbortSignal): Promise<Buffer> {
  const { host, port } = parseBrokerAddress(broker);
  const { tls } = security;
  const socket =
    tls === undefined
      ? connect({ host, port })
      : connectTls({
          ...{ host, port, minVersion: 'TLSv1.2', ca: tls.ca, cert: tls.certificate, key: tls.key },
          // Node refuses to send an IP address as the name of a server.
          ...(isIP(host) === 0 ? { servername: host } : {}),
        });
  try {
    return await exchange(socket, metadataRequest(clientId, topic), signal);
  } finally {
    socket.destroy();
  }
}

/** One request, and its answer without the length before it. */
function exchange(socket: Socket, request: Buffer, signal: AbortSignal): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    let received = Buffer.alloc(0);
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    socket
      .on('data', (bytes: Buffer) => {
        received = Buffer.concat([received, bytes]);
        if (received.length > answerBytesMax) reject(new Error('the answer is too long'));
        else if (received.length >= 4 && received.length >= 4 + received.readInt32BE(0)) resolve(received.subarray(4));
      })
      .on('error', reject)
      .on('close', () => reject(new Error('the connection ended')));
    socket.write(request);
  });
}

const metadataKey = 3;
const metadataVersion = 12;
const correlation = 1;

function metadataRequest(clientId: string, topic: string | undefined): Buffer {
  const name = Buffer.from(clientId);
  const head = Buffer.alloc(10);
  head.writeInt16BE(metadataKey, 0);
  head.writeInt16BE(metadataVersion, 2);
  head.writeInt32BE(correlation, 4);
  head.writeInt16BE(name.length, 8);
  const topics = topic === undefined ? [] : [Buffer.alloc(16), compactText(topic), noTags];
  const body = Buffer.concat([
    ...[head, name, noTags],
    ...[unsigned(topic === undefined ? 1 : 2), ...topics],
    // No topic is made by looking, and nobody asks for rights.
    ...[Buffer.alloc(2), noTags],
  ]);
  const length = Buffer.alloc(4);
  length.writeInt32BE(body.length);
  return Buffer.concat([length, body]);
}

const noTags = Buffer.alloc(1);

function compactText(text: string): Buffer {
  const bytes = Buffer.from(text);
  return Buffer.concat([unsigned(bytes.length + 1), bytes]);
}

function unsigned(value: number): Buffer {
  const bytes: number[] = [];
  let left = value;
  for (; left > 0x7f; left >>>= 7) bytes.push((left & 0x7f) | 0x80);
  return Buffer.from([...bytes, left]);
}

function isWell(answer: Buffer, topic: string | undefined): boolean {
  let at = 0;
  const skip = (bytes: number) => {
    at += bytes;
  };
  const int = (bytes: 2 | 4) => {
    skip(bytes);
    return bytes === 2 ? answer.readInt16BE(at - 2) : answer.readInt32BE(at - 4);
  };
  const varint = () => {
    let value = 0;
    for (let shift = 0; shift < 32; shift += 7) {
      const byte = answer.readUInt8(at);
      skip(1);
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    throw new Error('a length without an end');
  };
  const text = () => {
    const length = varint() - 1;
    skip(Math.max(0, length));
    return answer.toString('utf8', at - Math.max(0, length), at);
  };
  const tags = () => {
    for (let left = varint(); left > 0; left -= 1) {
      varint();
      skip(varint());
    }
  };
  if (int(4) !== correlation) return false;
  tags();
  // How long the broker held the request back.
  skip(4);
  const brokers = varint() - 1;
  for (let left = brokers; left > 0; left -= 1) {
    skip(4);
    text();
    skip(4);
    text();
    tags();
  }
  if (brokers < 1) return false;
  if (topic === undefined) return true;
  // The cluster's id, and its controller.
  text();
  skip(4);
  if (varint() !== 2) return false;
  const errorCode = int(2);
  const isIt = text() === topic;
  // The topic's id, and whether it is the brokers' own.
  skip(17);
  return errorCode === 0 && isIt && varint() > 1 && int(2) === 0;
}
