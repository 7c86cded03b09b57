/** A timer for what is not worth keeping a process alive: it runs where the process is still there by then. Not part of `Clock`, since nothing that a test waits for may depend on it. */
export function afterUnheld(ms: number, run: () => void): void {
  setTimeout(run, ms).unref();
}
