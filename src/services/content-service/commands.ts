/** `ccx content`: runs the content service until a signal. */
import type { Command } from 'commander';
import { createSystemClock } from '../../platform/clock/clock.ts';
import { addTableOptions, loadCommandConfig } from '../../platform/config/command-flags.ts';
import type { ProcessInput } from '../../platform/config/process-input.ts';
import { runRole } from '../../platform/lifecycle/run-role.ts';
import { createTelemetry, type LogLevel } from '../../platform/telemetry/telemetry.ts';
import { contentServiceOptions, contentServiceSettings } from './config.ts';
import { startContentService } from './service.ts';

export function registerContentServiceCommands(program: Command, input: ProcessInput): void {
  const command = program.command('content').description("role: serves the rules' content");
  addTableOptions(command, contentServiceOptions).action(async () => {
    const { config, warnings } = loadCommandConfig(command, contentServiceOptions, input);
    const settings = contentServiceSettings(config);
    const clock = createSystemClock();
    const telemetry = createTelemetry({ service: 'content', level: config['logging.log_level'] as LogLevel });
    for (const warning of warnings) telemetry.log.warn(warning);
    process.exitCode = await runRole({
      telemetry,
      clock,
      start: async (lifecycle) => {
        const service = await startContentService(settings, { telemetry, clock });
        lifecycle.defer(service.name, () => service.stop());
        telemetry.log.info({ url: service.url }, 'listening');
      },
    });
  });
}
