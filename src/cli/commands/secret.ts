import { Command } from 'commander';
import { withTocsin } from '../context.ts';
import { type TenantFlags, tenantFlag } from '../flags.ts';
import { printResult, table } from '../output.ts';
import { standardInput } from '../parse.ts';

type SetFlags = TenantFlags & { readonly host?: readonly string[]; readonly anyHost?: true };

export function secretCommand(): Command {
  const command = new Command('secret')
    .alias('secrets')
    .description("a tenant's secrets, for webhooks: {{ secret.name }}");
  addSet(command);
  addList(command);
  addDelete(command);
  addRotate(command);
  return command;
}

function addSet(command: Command): void {
  command
    .command('set')
    .description('store a secret; its value is read from standard input, so that it stands in no history')
    .argument('<name>')
    .requiredOption(...tenantFlag)
    .option('--host <host...>', 'only webhooks to these hosts may use it (default: as it was; a new one: any)')
    .option('--any-host', 'webhooks to any host may use it')
    .action((name: string, flags: SetFlags, self: Command) =>
      withTocsin(self, async (tocsin, options) => {
        const hosts = flags.anyHost ? null : flags.host;
        const value = (await standardInput('the secret')).replace(/\r?\n$/, '');
        printResult(
          options,
          await tocsin.secrets.setSecret(flags.tenant, name, value, { hosts }),
          () => `secret ${name} is stored`,
        );
      }),
    );
}

function addList(command: Command): void {
  command
    .command('list')
    .description('names, hosts and keys; values cannot be read back')
    .requiredOption(...tenantFlag)
    .action((flags: TenantFlags, self: Command) =>
      withTocsin(self, async (tocsin, options) => {
        printResult(options, await tocsin.secrets.listSecrets(flags.tenant), (secrets) =>
          table(
            ['name', 'hosts', 'key', 'set at'],
            secrets.map(({ name, hosts, keyId, updatedAt }) => [
              name,
              hosts?.join(', ') ?? 'any',
              keyId,
              updatedAt.toISOString(),
            ]),
            'no secrets',
          ),
        );
      }),
    );
}

function addDelete(command: Command): void {
  command
    .command('delete')
    .description('webhooks that use it are no longer sent')
    .argument('<name>')
    .requiredOption(...tenantFlag)
    .action((name: string, flags: TenantFlags, self: Command) =>
      withTocsin(self, async (tocsin, options) => {
        printResult(options, await tocsin.secrets.deleteSecret(flags.tenant, name), () => `secret ${name} is gone`);
      }),
    );
}

function addRotate(command: Command): void {
  command
    .command('rotate')
    .description('encrypt the secrets of all tenants that are under an earlier key with the current one')
    .option('--dry-run', 'only count them')
    .action((flags: { readonly dryRun?: true }, self: Command) =>
      withTocsin(self, async (tocsin, options) => {
        const rotation = await tocsin.secrets.rotateSecrets({ dryRun: flags.dryRun });
        printResult(options, rotation, ({ rotated, unopened }) => {
          const done = flags.dryRun ? 'would be put' : 'put';
          const lines = unopened.map(
            ({ tenantId, name, keyId }) => `not opened: ${name} of ${tenantId}, under key ${keyId}`,
          );
          return [`${rotated} secret(s) ${done} under the current key`, ...lines].join('\n');
        });
        if (rotation.ok && rotation.value.unopened.length > 0) process.exitCode = 1;
      }),
    );
}
