/** Waits for SIGINT or SIGTERM. A second signal means "now": the process then ends at once with the conventional code. */

/** Resolves with the first signal's name. Listens once; a later SIGINT or SIGTERM has the default effect again. */
export function waitForSignal(): Promise<'SIGINT' | 'SIGTERM'> {
  return new Promise((resolve) => {
    const onSignal = (signal: NodeJS.Signals) => {
      process.off('SIGINT', onSignal);
      process.off('SIGTERM', onSignal);
      resolve(signal === 'SIGINT' ? 'SIGINT' : 'SIGTERM');
    };
    process.on('SIGINT', onSignal);
    process.on('SIGTERM', onSignal);
  });
}
