import { Command } from 'commander';
import type { SenderSettings } from '../../model/tenant-sender.ts';
import { withTocsin } from '../context.ts';
import { type TenantFlags, tenantFlag } from '../flags.ts';
import { printResult } from '../output.ts';

type SetFlags = TenantFlags & { readonly name?: string; readonly address?: string; readonly replyTo?: string };

export function senderCommand(): Command {
  const command = new Command('sender').description("who a tenant's mails are from");
  command
    .command('show')
    .description('name, address and reply address, and the domains they may be of')
    .requiredOption(...tenantFlag)
    .action((flags: TenantFlags, self: Command) =>
      withTocsin(self, async (tocsin, options) => {
        printResult(options, await tocsin.tenants.getSender(flags.tenant), senderText);
      }),
    );
  command
    .command('set')
    .description("name, address and reply address; what is left out is the deployment's")
    .requiredOption(...tenantFlag)
    .option('--name <name>', 'what recipients see')
    .option('--address <address>', 'of one of the domains of the tenant')
    .option('--reply-to <address>', 'where answers go')
    .action((flags: SetFlags, self: Command) =>
      withTocsin(self, async (tocsin, options) => {
        const { tenant, name = null, address = null, replyTo = null } = flags;
        printResult(options, await tocsin.tenants.setSender(tenant, { name, address, replyTo }), senderText);
      }),
    );
  command
    .command('domains')
    .description('for operators: the domains a tenant may send from, in place of those before')
    .argument('[domains...]', 'e.g. acme.example; none takes them all away')
    .requiredOption(...tenantFlag)
    .action((domains: string[], flags: TenantFlags, self: Command) =>
      withTocsin(self, async (tocsin, options) => {
        printResult(options, await tocsin.tenants.setSenderDomains(flags.tenant, domains), senderText);
      }),
    );
  return command;
}

function senderText({ name, address, replyTo, domains }: SenderSettings): string {
  const from = `from ${name ?? "the deployment's name"} <${address ?? "the deployment's address"}>`;
  const answers = replyTo === null ? '' : `, answers to ${replyTo}`;
  return `${from}${answers}\nmay send from: ${domains.join(', ') || 'no domain of its own'}`;
}
