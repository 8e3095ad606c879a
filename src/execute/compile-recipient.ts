import { type Issue, unknownWord } from '../errors.ts';
import type { HandlerFamily } from '../handlers.ts';
import { parseInput } from '../model/parse-input.ts';
import { err, type Result } from '../model/result.ts';
import type { RecipientDefinition } from '../model/workflow.ts';
import type { CompiledRecipient, RecipientCompileContext, RecipientResolver } from './recipient.ts';

/**
 * Makes a recipient part of a definition ready to be asked: finds the handler of its type and reads its configuration.
 * What does not fit comes back as issues.
 */
export function compileRecipient(
  family: HandlerFamily<RecipientResolver>,
  definition: RecipientDefinition,
  context: RecipientCompileContext,
): Result<CompiledRecipient, readonly Issue[]> {
  const { partId: _partId, name: _name, type, ...written } = definition;
  const handler = family.get(type);
  if (!handler) {
    const path = `${context.path}.type`;
    return err([unknownWord({ path, kind: 'recipient type', written: type, allowed: family.types() })]);
  }
  const config = parseInput(handler.schema, written, context.path);
  return config.ok ? handler.compile(config.value, context) : config;
}
