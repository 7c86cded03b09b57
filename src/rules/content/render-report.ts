/**
 * Report items → the texts that a person reads. Pure; called by the notification service, in a process that is watched for time, since
 * templates are code. Source: data-pipeline.md 8.6.
 */

import type { RuleContent } from '../../contracts/rule-content.ts';
import { errorText } from '../../encoding/ccx-error.ts';
import { createTemplateCompiler, type Template, type TemplateCompiler } from './compile-template.ts';

interface RenderableReport {
  /** `<module>.report` */
  readonly component: string;
  /** The error key. */
  readonly key: string;
  /** What templates see as `pydata`. */
  readonly details: unknown;
}

interface RenderedReport {
  /** The rule's module. */
  readonly rule_id: string;
  readonly error_key: string;
  readonly resolution: string;
  readonly reason: string;
  readonly description: string;
}

interface RenderFailure {
  readonly component: string;
  readonly key: string;
  readonly reason: 'rule-unknown' | 'error-key-unknown' | 'description-missing' | 'template-failed';
  readonly detail: string;
}

interface RenderResult {
  /** In the order of the reports, without those that failed. */
  readonly rendered: readonly RenderedReport[];
  readonly failures: readonly RenderFailure[];
}

interface ReportRenderer {
  /** A report that cannot be rendered is listed as a failure and costs none of the others. */
  render(reports: readonly RenderableReport[]): RenderResult;
}

/** Keep it as long as the content is the same: a template is compiled when it is first needed, and once. */
export function createReportRenderer(
  rules: readonly RuleContent[],
  compiler: TemplateCompiler = createTemplateCompiler(),
): ReportRenderer {
  const ruleOfModule = new Map<string, RuleContent>();
  // Where two rules claim the same module, the first is rendered.
  for (const rule of rules)
    if (!ruleOfModule.has(rule.plugin.python_module)) ruleOfModule.set(rule.plugin.python_module, rule);
  const templates = new Map<string, Template>();
  const fill = (text: string, details: unknown): string => {
    if (text === '') return '';
    let template = templates.get(text);
    if (template === undefined) {
      template = compiler.compile(text);
      templates.set(text, template);
    }
    return template(details);
  };

  const renderOne = (report: RenderableReport): RenderedReport | RenderFailure => {
    const module = report.component.slice(0, Math.max(report.component.lastIndexOf('.'), 0));
    const rule = ruleOfModule.get(module);
    const failure = (reason: RenderFailure['reason'], detail: string): RenderFailure => {
      return { component: report.component, key: report.key, reason, detail };
    };
    if (rule === undefined) return failure('rule-unknown', `no content for module ${module}`);
    const content = Object.hasOwn(rule.error_keys, report.key) ? rule.error_keys[report.key] : undefined;
    if (content === undefined) return failure('error-key-unknown', `no content for error key ${report.key}`);
    if (content.metadata.description === '') return failure('description-missing', 'the description is empty');
    try {
      return {
        rule_id: module,
        error_key: report.key,
        resolution: fill(content.resolution || rule.resolution, report.details),
        reason: fill(content.reason || rule.reason, report.details),
        description: fill(content.metadata.description, report.details),
      };
    } catch (error) {
      return failure('template-failed', errorText(error));
    }
  };

  return {
    render(reports) {
      const results = reports.map(renderOne);
      return {
        rendered: results.filter((result): result is RenderedReport => 'rule_id' in result),
        failures: results.filter((result): result is RenderFailure => 'component' in result),
      };
    },
  };
}
