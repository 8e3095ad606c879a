import { type AttributeKind, attributeKind } from './attribute-kind.ts';
import { afterComment, type CommentMode } from './html-comment.ts';
import { afterText, joinProgress, type UrlProgress, urlStart, urlValue } from './url-progress.ts';

type Mode =
  | 'text'
  | 'raw'
  | 'tag-open'
  | 'end-tag-open'
  | 'tag-name'
  | 'between'
  | 'attribute-name'
  | 'after-name'
  | 'before-value'
  | 'double'
  | 'single'
  | 'unquoted'
  | CommentMode;

/** Where a value may stand: in text, in an attribute, or at the beginning of a URL. */
export type HtmlPlace = 'text' | 'attribute' | 'url';

/** Elements whose content is text up to their end tag; a value may stand only in the second kind. */
const rawElements: ReadonlySet<string> = new Set('script style xmp iframe noembed noframes plaintext'.split(' '));
const plainElements: ReadonlySet<string> = new Set(['title', 'textarea']);

const unclear =
  'browsers read what follows <noscript>, or tags in <style> or <title> in <svg>, in two ways: move the value before it';
const blank = /[\t\n\f\r ]/;

/**
 * Follows HTML as a browser's tokenizer does (WHATWG HTML 13.2.5), as far as it decides where a value would stand.
 * Fed with the template's own text in order; branches are followed on clones and joined. Where several readings are
 * possible it keeps the one that allows less; after `<noscript>`, and after markup in a raw element once there was an
 * `<svg>` or `<math>` (where such elements are not raw), no value may follow.
 */
export class HtmlScanner {
  private mode: Mode = 'text';
  private element = '';
  private isEndTag = false;
  private attribute = '';
  private kind: AttributeKind = 'forbidden';
  private tail = '';
  private url: UrlProgress = urlStart;
  private isForeign = false;
  private isUnclear = false;

  /** A scanner at the same place. */
  clone(): HtmlScanner {
    return Object.assign(new HtmlScanner(), this);
  }

  /** Follows template text; gives what is wrong with it, if anything. */
  feed(text: string): string | undefined {
    for (const character of text) {
      const problem = this.#step(character);
      if (problem) return problem;
    }
    return undefined;
  }

  /** Notes that a value stands here: its place, or why no value may. */
  value(): { place: HtmlPlace } | { problem: string } {
    if (this.isUnclear) return { problem: unclear };
    if (this.mode === 'text') return { place: 'text' };
    if (this.mode === 'raw' && plainElements.has(this.element) && this.tail === '') return { place: 'text' };
    if (this.mode !== 'double' && this.mode !== 'single') return { problem: this.#forbidden() };
    switch (this.kind) {
      case 'forbidden':
        return { problem: `no value may stand in the attribute ${this.attribute} of <${this.element}>` };
      case 'plain':
        return { place: 'attribute' };
      case 'url':
        return this.#urlValue();
    }
  }

  /** Where the scanner stands, for a message; undefined in plain text. */
  whereabouts(): string | undefined {
    if (this.mode === 'text') return undefined;
    if (this.mode === 'raw') return `inside <${this.element}>`;
    if (/^(?:comment|markup|bogus)/.test(this.mode)) return 'inside a comment';
    return `inside the tag <${this.isEndTag ? '/' : ''}${this.element}`;
  }

  /** Joins another branch into this one; false if the two end at places that differ. */
  join(other: HtmlScanner): boolean {
    this.isForeign ||= other.isForeign;
    this.isUnclear ||= other.isUnclear;
    const sameTag = this.element === other.element && this.isEndTag === other.isEndTag && this.tail === other.tail;
    const bothText = this.mode === 'text' && other.mode === 'text';
    if (bothText) return true;
    if (!sameTag) return false;
    if (this.mode === other.mode && this.attribute === other.attribute) {
      this.url = joinProgress(this.url, other.url);
      return true;
    }
    if (!betweenAttributes(this.mode) || !betweenAttributes(other.mode)) return false;
    this.mode = 'attribute-name';
    this.attribute = '?';
    return true;
  }

  /** True if both stand at exactly the same place. */
  endsAs(other: HtmlScanner): boolean {
    if (this.isForeign !== other.isForeign || this.isUnclear !== other.isUnclear) return false;
    if (this.mode === 'text' && other.mode === 'text') return true;
    const sameTag = this.mode === other.mode && this.element === other.element && this.isEndTag === other.isEndTag;
    const sameUrl = this.url.status === other.url.status && this.url.text === other.url.text;
    return sameTag && sameUrl && this.attribute === other.attribute && this.tail === other.tail;
  }

  #forbidden(): string {
    switch (this.mode) {
      case 'unquoted':
      case 'before-value':
        return `a value in the attribute ${this.attribute} needs quotes: write ${this.attribute}="{{ ... }}"`;
      case 'raw':
        return `no value may stand in <${this.element}>`;
      case 'bogus':
      case 'comment':
      case 'comment-start':
      case 'comment-start-dash':
      case 'markup':
        return 'no value may stand in an HTML comment: use {# ... #} for notes';
      default:
        return 'a value may stand only in text or in a quoted attribute, not in the name of a tag or an attribute';
    }
  }

  #urlValue(): { place: HtmlPlace } | { problem: string } {
    const { status, text } = this.url;
    if (status === 'settled') return { place: 'attribute' };
    if (status === 'open' && text.trim() === '') {
      this.url = urlValue;
      return { place: 'url' };
    }
    const hint = 'begin the URL with https://, mailto:, tel: or /, or let one value be the whole URL';
    return { problem: `a value here could decide what kind of link ${this.attribute} is: ${hint}` };
  }

  #step(character: string): string | undefined {
    switch (this.mode) {
      case 'double':
      case 'single':
        return this.#inQuotes(character);
      case 'text':
        if (character === '<') this.mode = 'tag-open';
        return undefined;
      case 'raw':
        this.#inRaw(character);
        return undefined;
      case 'markup':
      case 'bogus':
      case 'comment-start':
      case 'comment-start-dash':
      case 'comment':
        ({ mode: this.mode, tail: this.tail } = afterComment({ mode: this.mode, tail: this.tail }, character));
        return undefined;
      default:
        this.#inTag(character);
        return undefined;
    }
  }

  #inQuotes(character: string): string | undefined {
    if (character === (this.mode === 'double' ? '"' : "'")) {
      this.#endAttribute();
      return undefined;
    }
    if (this.kind !== 'url') return undefined;
    const next = afterText(this.url, character, 'link');
    if (!next) return `after a value at the start of a URL only /, ? or # may follow, not "${character}"`;
    this.url = next;
    return undefined;
  }

  #inRaw(character: string): void {
    const end = `</${this.element}`;
    if (this.tail === end && (blank.test(character) || character === '/' || character === '>')) {
      this.tail = '';
      this.isEndTag = true;
      this.#endAttribute();
      this.#inTag(character);
      return;
    }
    const tail = this.tail + character.toLowerCase();
    if (this.isForeign && this.tail !== '' && !end.startsWith(tail)) this.isUnclear = true;
    this.tail = end.startsWith(tail) ? tail : character === '<' ? '<' : '';
  }

  #inTag(character: string): void {
    switch (this.mode) {
      case 'tag-open':
        this.#openTag(character);
        return;
      case 'end-tag-open':
        if (/[A-Za-z]/.test(character)) this.#startName(character);
        else this.mode = character === '>' ? 'text' : 'bogus';
        return;
      case 'tag-name':
        if (!this.#endsName(character)) this.element += character.toLowerCase();
        return;
      case 'attribute-name':
        if (character === '=') this.mode = 'before-value';
        else if (blank.test(character)) this.mode = 'after-name';
        else if (!this.#endsName(character)) this.attribute += character.toLowerCase();
        return;
      case 'before-value':
        this.#openValue(character);
        return;
      case 'unquoted':
        this.#endsUnquoted(character);
        return;
      case 'after-name':
        if (character === '=') this.mode = 'before-value';
        else this.#betweenAttributes(character);
        return;
      default:
        this.#betweenAttributes(character);
    }
  }

  #openTag(character: string): void {
    if (/[A-Za-z]/.test(character)) {
      this.isEndTag = false;
      this.#startName(character);
    } else if (character === '/') {
      this.isEndTag = true;
      this.element = '';
      this.mode = 'end-tag-open';
    } else if (character === '!') {
      this.mode = 'markup';
      this.tail = '';
    } else if (character === '?') this.mode = 'bogus';
    else if (character !== '<') this.mode = 'text';
  }

  #startName(character: string): void {
    this.mode = 'tag-name';
    this.element = character.toLowerCase();
    this.attribute = '';
  }

  /** Handles what ends the name of a tag or an attribute. */
  #endsName(character: string): boolean {
    if (character === '>') this.#closeTag();
    else if (blank.test(character) || character === '/') this.#endAttribute();
    else return false;
    return true;
  }

  #betweenAttributes(character: string): void {
    if (character === '>') this.#closeTag();
    else if (character === '/') this.#endAttribute();
    else if (!blank.test(character)) {
      this.mode = 'attribute-name';
      this.attribute = character.toLowerCase();
    }
  }

  #endsUnquoted(character: string): void {
    if (character === '>') this.#closeTag();
    else if (blank.test(character)) this.#endAttribute();
  }

  #endAttribute(): void {
    this.mode = 'between';
    this.attribute = '';
  }

  #openValue(character: string): void {
    this.url = urlStart;
    this.kind = attributeKind(this.element, this.attribute);
    if (character === '"') this.mode = 'double';
    else if (character === "'") this.mode = 'single';
    else if (character === '>') this.#closeTag();
    else if (!blank.test(character)) this.mode = 'unquoted';
  }

  #closeTag(): void {
    const isRaw = !this.isEndTag && (rawElements.has(this.element) || plainElements.has(this.element));
    this.mode = isRaw ? 'raw' : 'text';
    this.tail = '';
    if (this.element === 'svg' || this.element === 'math') this.isForeign = true;
    if (this.element === 'noscript') this.isUnclear = true;
  }
}

function betweenAttributes(mode: Mode): boolean {
  return mode === 'between' || mode === 'attribute-name' || mode === 'after-name';
}
