/** Entry point of the drop-in program: what it does is `services/notification-service/drop-in/`. Run by the launcher beside it. */
import { readProcessInput } from '../platform/config/process-input.ts';
import { runNotificationServiceProgram } from '../services/notification-service/drop-in/program.ts';
import { sendSpansIfAsked } from '../tools/spans/spans-if-asked.ts';

const input = readProcessInput();
await sendSpansIfAsked(input.env);
process.exitCode = await runNotificationServiceProgram(input);
