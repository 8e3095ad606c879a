import type { WorkflowError } from '../errors.ts';
import type { Result } from '../model/result.ts';
import { type CaptureInfo, listCaptures } from '../store/capture-registry.ts';
import type { Database } from '../store/database.ts';
import type { CaptureOptions } from './capture-options.ts';
import { installCapture } from './install-capture.ts';
import { removeCapture } from './remove-capture.ts';
import { type CaptureReport, verifyCaptures } from './verify-captures.ts';

export type { CaptureInfo } from '../store/capture-registry.ts';
export type { CaptureOptions } from './capture-options.ts';

/** Captures the row changes of host tables as events: `tocsin.capture`. */
export class CaptureService {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Puts triggers on a table, or brings them up to date; see `installCapture`. */
  install(options: CaptureOptions): Promise<Result<CaptureInfo, WorkflowError>> {
    return installCapture(this.#database, options);
  }

  /** What is wrong with the captures, or with one of them; see `verifyCaptures`. */
  verify(options: { readonly table?: string } = {}): Promise<Result<CaptureReport[], WorkflowError>> {
    return verifyCaptures(this.#database, options);
  }

  /** Takes the triggers off a table; its events stay. */
  remove(table: string): Promise<Result<CaptureInfo, WorkflowError>> {
    return removeCapture(this.#database, table);
  }

  /** The tables that are captured, by name. */
  list(): Promise<CaptureInfo[]> {
    return listCaptures(this.#database.orm);
  }
}
