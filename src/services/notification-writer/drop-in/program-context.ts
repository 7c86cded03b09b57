/** One invocation of the drop-in program: its flags and configuration, and what every operation needs. Made by `program.ts`. */
import type { BusSettings } from '../../../platform/bus/bus-options.ts';
import type { Clock } from '../../../platform/clock/clock.ts';
import type { Telemetry } from '../../../platform/telemetry/telemetry.ts';
import type { WriterFlags } from './flags.ts';
import type { ProgramConfig } from './load-program-config.ts';

export interface Program extends ProgramConfig {
  readonly flags: WriterFlags;
  readonly telemetry: Telemetry;
  readonly clock: Clock;
  /** Throws `BUS_SECURITY` where the broker's settings cannot be honoured, so that operations without a broker do not need them. */
  readonly bus: () => BusSettings;
}
