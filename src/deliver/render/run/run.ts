import { limits } from '../limits.ts';
import { type Position, TemplateFault } from '../template-error.ts';
import { Meter } from './meter.ts';
import { memberOf } from './value.ts';

/** Where one `{% for %}` stands. */
export type LoopState = { index: number; length: number };

/** What may be shared by the renders of several templates: their budget, and how much they may still write together. */
export class Allowance {
  readonly meter: Meter = new Meter();
  #outputLeft: number = limits.outputChars;

  /** Takes `chars` characters of output. */
  write(chars: number): void {
    this.#outputLeft -= chars;
    if (this.#outputLeft < 0) throw outputTooLarge();
  }

  /** Ends the render if `chars` more characters would not fit; takes nothing. */
  reserve(chars: number): void {
    if (chars > this.#outputLeft) throw outputTooLarge();
  }
}

/** The fault of a render that writes too much. */
export function outputTooLarge(): TemplateFault {
  return new TemplateFault('output_too_large', `the text is longer than ${limits.outputChars} characters: render less`);
}

/** What a template needs to run: how many variables and loops it has, and whether their names may be context fields. */
export type Frame = { readonly variables: readonly string[]; readonly isOpen: boolean; readonly loops: number };

/** One render of one template: its context, its variables, what it has written, what it may still cost. */
export class Run {
  readonly context: Record<string, unknown>;
  readonly meter: Meter;
  readonly slots: unknown[];
  readonly loops: LoopState[];
  at: Position | undefined;
  text = '';
  readonly #frame: Frame;
  readonly #allowance: Allowance;

  constructor(context: Record<string, unknown>, frame: Frame, allowance: Allowance) {
    this.context = context;
    this.meter = allowance.meter;
    this.slots = new Array<unknown>(frame.variables.length);
    this.loops = Array.from({ length: frame.loops }, () => ({ index: 0, length: 0 }));
    this.#frame = frame;
    this.#allowance = allowance;
    this.clear(0, frame.variables.length);
  }

  /** Empties variables; if any name may be a field of the context, they begin as that field. */
  clear(from: number, to: number): void {
    const { isOpen, variables } = this.#frame;
    for (let slot = from; slot < to; slot++) {
      this.slots[slot] = isOpen ? memberOf(this.context, variables[slot]) : undefined;
    }
  }

  /** Writes template text. */
  write(text: string): void {
    this.#allowance.write(text.length);
    this.text += text;
  }

  /** Writes the text of a value, made harmless by `makeSafe`. */
  writeValue(text: string, makeSafe: (text: string) => string): void {
    this.#allowance.reserve(text.length);
    this.meter.read(text.length);
    this.write(makeSafe(text));
  }
}
