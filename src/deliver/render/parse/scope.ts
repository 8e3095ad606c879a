import { nearest } from '../../../errors.ts';
import { type Position, quoted, TemplateFault } from '../template-error.ts';

/** What a name stands for. */
export type Binding = { readonly kind: 'variable'; readonly slot: number } | { readonly kind: 'root' };

const namePattern = /^[A-Za-z_][A-Za-z0-9_]{0,63}$/;
const forbiddenNames: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype']);

/** Refuses a name that is not plain ASCII or that JavaScript gives a meaning of its own. */
export function checkName(name: unknown, at: Position): string {
  if (typeof name !== 'string' || forbiddenNames.has(name)) {
    throw new TemplateFault('forbidden_name', `the name ${quoted(String(name))} cannot be used in a template`, at);
  }
  if (!namePattern.test(name)) {
    const rule = 'a name has letters, digits and _, at most 64; write other keys as payload["the key"]';
    throw new TemplateFault('forbidden_name', `${quoted(name)} is not a name: ${rule}`, at);
  }
  return name;
}

/** Refuses a key that JavaScript gives a meaning of its own; any other text may be a key. */
export function checkKey(key: string, at: Position): string {
  if (!forbiddenNames.has(key)) return key;
  throw new TemplateFault('forbidden_name', `the name ${quoted(key)} cannot be used in a template`, at);
}

/**
 * The names of one template in the order of its text: variables of `set` and `for` get slots, anything else must be a
 * root (a field of the context). A variable of a loop ends with the loop; `set` changes the nearest variable of its name.
 */
export class Scope {
  readonly #roots: readonly string[] | undefined;
  readonly #levels: Map<string, number>[] = [new Map()];
  readonly #variables: string[] = [];
  readonly #openLoops: number[] = [];
  readonly #paths = new Map<string, readonly string[]>();
  #loops = 0;

  constructor(roots: readonly string[] | undefined) {
    this.#roots = roots;
  }

  /** Names of all variables by slot. */
  get variables(): readonly string[] {
    return this.#variables;
  }

  /** How many loops the template has. */
  get loops(): number {
    return this.#loops;
  }

  /** The innermost loop around this place. */
  get currentLoop(): number | undefined {
    return this.#openLoops.at(-1);
  }

  /** What has been read from the context so far, each once. */
  get paths(): readonly (readonly string[])[] {
    return [...this.#paths.values()];
  }

  /** What a name stands for here; refuses a name nobody knows. */
  resolve(name: string, at: Position): Binding {
    const slot = this.#slotOf(name);
    if (slot !== undefined) return { kind: 'variable', slot };
    if (!this.#roots || this.#roots.includes(name)) return { kind: 'root' };
    const near = nearest(name, [...this.#roots, ...this.#levels.flatMap((level) => [...level.keys()])]);
    const hint = near ? `: did you mean "${near}"?` : `; known names: ${this.#roots.join(', ')}`;
    throw new TemplateFault('unknown_name', `unknown name ${quoted(name)}${hint}`, at);
  }

  /** The slot that `set` writes to. */
  assign(name: string, at: Position): number {
    return this.#slotOf(name) ?? this.declare(name, at);
  }

  /** A new variable at this level. */
  declare(name: string, at: Position): number {
    if (name === 'loop' || this.#roots?.includes(name)) {
      throw new TemplateFault('forbidden_name', `"${name}" has a meaning already: choose another variable name`, at);
    }
    const slot = this.#variables.push(name) - 1;
    this.#levels.at(-1)?.set(name, slot);
    return slot;
  }

  /** Opens a loop: variables declared from now on end with it. Gives its number. */
  openLoop(): number {
    this.#levels.push(new Map());
    this.#openLoops.push(this.#loops);
    return this.#loops++;
  }

  /** Closes the innermost loop. */
  closeLoop(): void {
    this.#levels.pop();
    this.#openLoops.pop();
  }

  /** Notes that the template reads this path of the context. */
  read(path: readonly string[]): void {
    this.#paths.set(JSON.stringify(path), path);
  }

  #slotOf(name: string): number | undefined {
    return this.#levels.findLast((level) => level.has(name))?.get(name);
  }
}
