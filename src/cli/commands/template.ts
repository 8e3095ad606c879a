import { Command } from 'commander';
import type { TemplateInput } from '../../service/template-service.ts';
import { withTocsin } from '../context.ts';
import { printResult, table } from '../output.ts';
import { jsonArgument } from '../parse.ts';

type TenantFlags = { readonly tenant: string };

export function templateCommand(): Command {
  const command = new Command('template').description("a tenant's stored mail templates");
  command
    .command('set')
    .description('store a template: { "name", "subject", "html", "text" }')
    .argument('<template>', 'JSON, @file, or - for standard input')
    .requiredOption('--tenant <id>', 'the tenant')
    .action((template: string, flags: TenantFlags, self: Command) =>
      withTocsin(self, async (tocsin, options) => {
        const input = (await jsonArgument(template, 'the template')) as TemplateInput;
        printResult(options, await tocsin.templates.setTemplate(flags.tenant, input), () => 'the template is stored');
      }),
    );
  command
    .command('list')
    .requiredOption('--tenant <id>', 'the tenant')
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
    .argument('<name>')
    .requiredOption('--tenant <id>', 'the tenant')
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
