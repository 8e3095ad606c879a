import { Command } from 'commander';
import type { TemplateInput } from '../../service/template-service.ts';
import { withTocsin } from '../context.ts';
import { type TenantFlags, tenantFlag } from '../flags.ts';
import { printResult, table } from '../output.ts';
import { jsonArgument } from '../parse.ts';

export function templateCommand(): Command {
  const command = new Command('template').description("a tenant's stored mail templates");
  command
    .command('set')
    .description('store a template: { "name", "subject", "html", "text" }')
    .argument('<template>', 'JSON, @file, or - for standard input')
    .requiredOption(...tenantFlag)
    .action((template: string, flags: TenantFlags, self: Command) =>
      withTocsin(self, async (tocsin, options) => {
        const input = (await jsonArgument(template, 'the template')) as TemplateInput;
        printResult(options, await tocsin.templates.setTemplate(flags.tenant, input), () => 'the template is stored');
      }),
    );
  command
    .command('list')
    .description('names and subjects')
    .requiredOption(...tenantFlag)
    .action((flags: TenantFlags, self: Command) =>
      withTocsin(self, async (tocsin, options) => {
        printResult(options, await tocsin.templates.listTemplates(flags.tenant), (templates) =>
          table(
            ['name', 'subject', 'changed at'],
            templates.map((template) => [template.name, template.subject ?? '-', template.updatedAt.toISOString()]),
            'no templates',
          ),
        );
      }),
    );
  command
    .command('delete')
    .description('mails that use it are no longer sent')
    .argument('<name>')
    .requiredOption(...tenantFlag)
    .action((name: string, flags: TenantFlags, self: Command) =>
      withTocsin(self, async (tocsin, options) => {
        printResult(
          options,
          await tocsin.templates.deleteTemplate(flags.tenant, name),
          () => `template ${name} is gone`,
        );
      }),
    );
  return command;
}
