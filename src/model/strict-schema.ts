import { z } from 'zod';

/** The schema of a host's handler, refusing unknown fields: a plain `z.object` would drop a misspelt one in silence. */
export function strictSchema<Config>(schema: z.ZodType<Config>): z.ZodType<Config> {
  const isSilent = schema instanceof z.ZodObject && schema.def.catchall === undefined;
  return isSilent ? (schema.strict() as unknown as z.ZodType<Config>) : schema;
}
