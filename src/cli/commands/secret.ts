import { text } from 'node:stream/consumers';
import { Command } from 'commander';
import { withTocsin } from '../context.ts';
import { printResult, table } from '../output.ts';

type TenantFlags = { readonly tenant: string };

export function secretCommand(): Command {
  const command = new Command('secret').description("a tenant's secrets, for webhooks: {{ secret.name }}");
  command
    .command('set')
    .description('store a secret; its value is read from standard input, so that it stands in no history')
    .argument('<name>')
    .requiredOption('--tenant <id>', 'the tenant')
    .action((name: string, flags: TenantFlags, self: Command) =>
      withTocsin(self, async (tocsin, options) => {
        const value = (await text(process.stdin)).replace(/\r?\n$/, '');
        printResult(
          options,
          await tocsin.secrets.setSecret(flags.tenant, name, value),
          () => `secret ${name} is stored`,
        );
      }),
    );
  command
    .command('list')
    .description('names only; values cannot be read back')
    .requiredOption('--tenant <id>', 'the tenant')
    .action((flags: TenantFlags, self: Command) =>
      withTocsin(self, async (tocsin, options) => {
        printResult(options, await tocsin.secrets.listSecrets(flags.tenant), (secrets) =>
          table(
            ['name', 'set at'],
            secrets.map((secret) => [secret.name, secret.updatedAt.toISOString()]),
            'no secrets',
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
        printResult(options, await tocsin.secrets.deleteSecret(flags.tenant, name), () => `secret ${name} is gone`);
      }),
    );
  return command;
}
