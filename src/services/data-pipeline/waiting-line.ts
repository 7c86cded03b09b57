/** Waiting in a line that somebody else serves, and may give up. Used for places, for bytes and for hosts that are left alone. */

export type Waiter<Granted, Request = unknown> = Request & { readonly grant: (granted: Granted) => void };

/**
 * Joins the end of the line. Resolves to what whoever serves the line grants, having taken the waiter out of it; rejects with the signal's
 * reason, after the waiter has left and `onLeft` was called.
 */
export function waitInLine<Granted, Request extends object>(
  line: Waiter<Granted, Request>[],
  request: Request,
  signal: AbortSignal,
  onLeft: () => void = () => undefined,
): Promise<Granted> {
  const { promise, resolve, reject } = Promise.withResolvers<Granted>();
  const leave = () => {
    line.splice(line.indexOf(waiter), 1);
    onLeft();
    reject(signal.reason);
  };
  const waiter: Waiter<Granted, Request> = {
    ...request,
    grant(granted) {
      signal.removeEventListener('abort', leave);
      resolve(granted);
    },
  };
  signal.addEventListener('abort', leave, { once: true });
  line.push(waiter);
  return promise;
}
