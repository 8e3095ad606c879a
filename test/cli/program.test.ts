import type { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import { createProgram } from '../../src/cli/program.ts';
import { environment } from '../../src/config.ts';

/** Every command with those below it, by its words. */
function commandsOf(parent: Command, words: readonly string[] = []): (readonly [string, Command])[] {
  return parent.commands.flatMap((command) => {
    const path = [...words, command.name()];
    return [[path.join(' '), command] as const, ...commandsOf(command, path)];
  });
}

describe('createProgram', () => {
  test.each(commandsOf(createProgram()))(
    '`%s` says what it does and lists the options of every command',
    (_name, command) => {
      expect(command.description()).not.toBe('');
      expect(command.helpInformation()).toContain('--database <url>');
    },
  );

  test.each(commandsOf(createProgram()))('`%s` says where help is when it refuses', (_name, command) => {
    let said = '';
    command.configureOutput({ writeErr: (text) => (said += text) }).exitOverride();
    expect(() => command.error('error: not like this')).toThrow();
    expect(said).toBe('error: not like this\n(--help says what it takes)\n');
  });

  test('lists every environment variable', () => {
    let help = '';
    createProgram()
      .configureOutput({ writeOut: (text) => (help += text) })
      .outputHelp();
    for (const variable of Object.keys(environment)) expect(help).toContain(variable);
  });
});
