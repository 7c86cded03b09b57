/** A collector of OpenTelemetry that keeps the spans that are sent to it. Reads as much of OTLP's protobuf as tests look at. */
import { createServer } from 'node:http';
import { listening } from './test-server.ts';

export interface SentSpan {
  readonly service: string;
  readonly traceId: string;
  readonly spanId: string;
  /** Empty for the first of a trace. */
  readonly parentSpanId: string;
  readonly name: string;
  readonly ms: number;
  readonly attributes: Readonly<Record<string, string | number>>;
}

export async function startOtlpSink() {
  const spans: SentSpan[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      if (request.url === '/v1/traces') spans.push(...readSpans(Buffer.concat(chunks)));
      response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end();
    });
  });
  const { port, close } = await listening(server);
  return { url: `http://127.0.0.1:${port}`, spans, close };
}

/** opentelemetry/proto/collector/trace/v1: resource_spans 1 { resource 1 { attributes 1 }, scope_spans 2 { spans 2 } }. */
function readSpans(request: Buffer): SentSpan[] {
  return all(request, 1).flatMap((ofResource) => {
    const [resource = Buffer.alloc(0)] = all(ofResource, 1);
    const service = String(attributesOf(all(resource, 1))['service.name']);
    return all(ofResource, 2).flatMap((scope) => all(scope, 2).map((span) => readSpan(service, span)));
  });
}

function readSpan(service: string, span: Buffer): SentSpan {
  const hex = (field: number) => all(span, field)[0]?.toString('hex') ?? '';
  const nanos = (field: number) => all(span, field)[0]!.readBigUInt64LE();
  return {
    ...{ service, traceId: hex(1), spanId: hex(2), parentSpanId: hex(4) },
    name: all(span, 5)[0]?.toString() ?? '',
    ms: Number(nanos(8) - nanos(7)) / 1e6,
    attributes: attributesOf(all(span, 9)),
  };
}

/** KeyValue: key 1, value 2 { string 1, int 3, double 4 }. */
function attributesOf(pairs: readonly Buffer[]): Record<string, string | number> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const [value = Buffer.alloc(0)] = all(pair, 2);
      const text = all(value, 1)[0]?.toString();
      const double = all(value, 4)[0]?.readDoubleLE();
      const integer = all(value, 3)[0];
      return [all(pair, 1)[0]!.toString(), text ?? double ?? (integer === undefined ? '' : varint(integer, 0).value)];
    }),
  );
}

/** The bytes of each value of a field: of a message, a string, a fixed number, or a varint as it came. */
function all(message: Buffer, field: number): Buffer[] {
  const found: Buffer[] = [];
  for (let at = 0; at < message.length; ) {
    const key = varint(message, at);
    at = key.next;
    const wire = key.value & 7;
    let end: number;
    if (wire === 0) end = varint(message, at).next;
    else if (wire === 1) end = at + 8;
    else if (wire === 5) end = at + 4;
    else {
      const length = varint(message, at);
      at = length.next;
      end = at + length.value;
    }
    if (key.value >> 3 === field) found.push(message.subarray(at, end));
    at = end;
  }
  return found;
}

function varint(bytes: Buffer, start: number): { readonly value: number; readonly next: number } {
  let value = 0;
  for (let at = start, scale = 1; ; at += 1, scale *= 128) {
    const byte = bytes[at]!;
    value += (byte & 0x7f) * scale;
    if (byte < 0x80) return { value, next: at + 1 };
  }
}
