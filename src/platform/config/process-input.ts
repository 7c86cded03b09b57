/** The only file that reads the process's environment and arguments; everything else receives them. */

export interface ProcessInput {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Arguments after the script. */
  readonly args: readonly string[];
  /** The name that the program was called by, for usage texts; launchers pass it in `CCX_ARGV0`. */
  readonly programName: string;
}

export function readProcessInput(): ProcessInput {
  return { env: process.env, args: process.argv.slice(2), programName: process.env['CCX_ARGV0'] ?? 'ccx' };
}
