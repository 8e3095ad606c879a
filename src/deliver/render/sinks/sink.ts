import type { Output, Statement } from '../parse/tree.ts';

/** Where a text goes, by name. */
export type SinkName = 'html' | 'text' | 'line' | 'url' | 'json';

/** Turns the text of a value into what may stand at its place. */
export type Escape = (text: string) => string;

/** What a save learns about a template for its sink. */
export type Placement = {
  /** How the value of an output is made harmless at its place. */
  readonly escapeOf: (output: Output) => Escape;
  /** A last look at the whole result; throws a TemplateFault. */
  readonly finish?: (text: string) => void;
};

/** One kind of target: what may stand where (decided at save), how values are made harmless, what the result must be. */
export type Sink = {
  readonly name: SinkName;
  /** Decides the place of every output; throws a TemplateFault for a place where no value is safe. */
  readonly place: (body: readonly Statement[]) => Placement;
  /** The template's own text as it will be written. */
  readonly literal: Escape;
};
