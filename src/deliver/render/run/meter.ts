import { limits } from '../limits.ts';
import { TemplateFault } from '../template-error.ts';

/**
 * The budget of one render. Every evaluated node, every visited element and every 64 characters take a step; text that
 * filters and operators build is counted as well. Charge before allocating: a charge that does not fit ends the render.
 */
export class Meter {
  #stepsLeft: number = limits.steps;
  #charsLeft: number = limits.builtChars;
  #paidOnce: Set<string> | undefined;

  /** Takes `count` steps. */
  step(count = 1): void {
    this.#stepsLeft -= count;
    if (this.#stepsLeft < 0) {
      throw new TemplateFault('too_many_steps', `the render took more than ${limits.steps} steps: loop over less data`);
    }
  }

  /**
   * Takes `count` steps for the first use of something in this render that is dear to make and remembered afterwards.
   * Counted by render, not by what the process remembers, so that the same render always costs the same.
   */
  stepOnce(key: string, count: number): void {
    this.#paidOnce ??= new Set();
    if (this.#paidOnce.has(key)) return;
    this.step(count);
    this.#paidOnce.add(key);
  }

  /** Takes the steps for reading `chars` characters. */
  read(chars: number): void {
    this.step(1 + (chars >>> 6));
  }

  /** Takes the steps and the text for building `chars` characters. */
  build(chars: number): void {
    this.reserve(chars);
    this.#charsLeft -= chars;
    this.step(1 + (chars >>> 6));
  }

  /** Ends the render if `chars` more characters would not fit; takes nothing. For results whose size is known later. */
  reserve(chars: number): void {
    if (!(chars <= this.#charsLeft)) {
      throw new TemplateFault(
        'too_much_text',
        `filters built more than ${limits.builtChars} characters: use less text`,
      );
    }
  }
}
