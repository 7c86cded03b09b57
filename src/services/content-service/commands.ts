/** `ccx content`: runs the content service until a signal. */
import type { Command } from 'commander';
import { addTableOptions, loadCommandConfig } from '../../platform/config/command-flags.ts';
import type { ProcessInput } from '../../platform/config/process-input.ts';
import type { LogLevel } from '../../platform/telemetry/log.ts';
import { contentServiceOptions, contentServiceSettings } from './config.ts';

export function register(program: Command, input: ProcessInput): void {
  const command = program.command('content').description("role: serves the rules' content");
  addTableOptions(command, contentServiceOptions).action(async () => {
    const loaded = loadCommandConfig(command, contentServiceOptions, input);
    const settings = contentServiceSettings(loaded.config);
    const level = loaded.config['logging.log_level'] as LogLevel;
    const { openRole } = await import('../../platform/lifecycle/open-role.ts');
    const { startContentService } = await import('./service.ts');
    await openRole({ name: 'content', level, loaded }, async (role) => {
      const service = await startContentService(settings, role);
      role.runs(service, undefined);
      role.telemetry.log.info({ url: service.url }, 'listening');
    });
  });
}
