/** Whether a request comes from this machine itself, and whether others can connect at all. */

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^(::ffff:)?127\.[\d.]+$/i.test(host);
}

/** What proxies add to a request that they pass on. */
const forwardingHeader =
  /^(?:forwarded|via|x-(?:forwarded|original)-?.*|x-(?:real|client|cluster-client)-?ip|true-client-ip|cf-connecting-ip|x-envoy-.*)$/;

interface Arrival {
  readonly headerNames: readonly string[];
  /** `1.1`; nginx speaks 1.0 to whom it passes on, unless it is told otherwise. */
  readonly httpVersion: string;
  /** The `Host` header: what the client called the machine that it connected to. */
  readonly hostHeader: string | undefined;
  /** Address that connected. */
  readonly remoteAddress: string | undefined;
  /** Address that was connected to. */
  readonly localAddress: string | undefined;
  /** Address or name that is listened on. */
  readonly host: string;
}

/** Whether it shows that a proxy speaks for somebody else. One that hides this altogether cannot be told apart. */
function isPassedOn({ headerNames, httpVersion, hostHeader, localAddress, host }: Arrival): boolean {
  if (httpVersion === '1.0' || headerNames.some((name) => forwardingHeader.test(name))) return true;
  const named = /^\[(.*)\](?::\d+)?$/.exec(hostHeader ?? '')?.[1] ?? hostHeader?.replace(/:\d+$/, '') ?? '';
  const own = [localAddress?.replace(/^::ffff:/i, ''), host.toLowerCase()];
  return !isLoopback(named.toLowerCase()) && !own.includes(named.toLowerCase());
}

export function isLocalRequest(arrival: Arrival): boolean {
  const { host, remoteAddress, localAddress } = arrival;
  if (remoteAddress === undefined || isPassedOn(arrival)) return false;
  if (isLoopback(remoteAddress)) return true;
  // Where one outer address is all that is listened on, this machine reaches itself by that.
  const isOneOuterAddress = !isLoopback(host) && host !== '0.0.0.0' && host !== '::';
  return isOneOuterAddress && remoteAddress === localAddress;
}
