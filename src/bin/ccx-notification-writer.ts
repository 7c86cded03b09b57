/** Entry point of the drop-in program: what it does is `services/notification-writer/drop-in/`. Run by the launcher beside it. */
import { readProcessInput } from '../platform/config/process-input.ts';
import { runNotificationWriterProgram } from '../services/notification-writer/drop-in/program.ts';

process.exitCode = await runNotificationWriterProgram(readProcessInput());
