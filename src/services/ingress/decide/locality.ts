/** Whether a request comes from this machine itself, and whether others can connect at all. */

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^(::ffff:)?127\./i.test(host);
}

/** What a proxy adds to a request that it passes on. */
export const FORWARDING_HEADERS = ['forwarded', 'via', 'x-forwarded-for', 'x-real-ip', 'true-client-ip'] as const;

export interface Arrival {
  /** Address that is listened on. */
  readonly host: string;
  readonly remoteAddress: string | undefined;
  readonly localAddress: string | undefined;
  /** It has one of the headers above: a proxy on this machine speaks for somebody else. */
  readonly isForwarded: boolean;
}

export function isLocalRequest({ host, remoteAddress, localAddress, isForwarded }: Arrival): boolean {
  if (isForwarded || remoteAddress === undefined) return false;
  if (isLoopback(remoteAddress)) return true;
  // Where one outer address is all that is listened on, this machine reaches itself by that.
  const isOneOuterAddress = !isLoopback(host) && host !== '0.0.0.0' && host !== '::';
  return isOneOuterAddress && remoteAddress === localAddress;
}
