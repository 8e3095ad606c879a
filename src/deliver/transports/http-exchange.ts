import type { Dispatcher } from 'undici';
import type { HttpRequest } from '../action.ts';

/** What became of one request. */
export type HttpExchange =
  | {
      readonly kind: 'answered';
      readonly status: number;
      readonly headers: Readonly<Record<string, string | string[] | undefined>>;
      /** The beginning of the body as text; empty for a confidential request. */
      readonly excerpt: string;
    }
  /** `started` tells that a connection was there and the request may have been read. */
  | { readonly kind: 'failed'; readonly started: boolean; readonly error: Error }
  | { readonly kind: 'late'; readonly started: boolean };

const excerptBytes = 4_096;

/**
 * Makes one request and reads its answer: settles when the answer has ended, at the signal, or at the size limit,
 * whichever is first. The status line decides: what happens to the connection while the body comes in changes nothing
 * any more. Redirects are answers. Rejects only when undici refuses the request as malformed.
 */
export function exchangeHttp(options: {
  dispatcher: Dispatcher;
  url: URL;
  request: HttpRequest;
  signal: AbortSignal;
  /** Bytes of body after which reading stops and the connection is closed. */
  maxResponseBytes: number;
}): Promise<HttpExchange> {
  const { dispatcher, url, request, signal, maxResponseBytes } = options;
  return new Promise((resolve, reject) => {
    const answer = { status: 0, headers: {} as Record<string, string | string[] | undefined>, bytes: 0 };
    const chunks: Buffer[] = [];
    let controller: Dispatcher.DispatchController | undefined;

    const end = (withoutAnswer: HttpExchange): void => {
      signal.removeEventListener('abort', onDeadline);
      const { status, headers } = answer;
      resolve(status === 0 ? withoutAnswer : { kind: 'answered', status, headers, excerpt: readExcerpt(chunks) });
    };
    const cut = (): void => controller?.abort(new Error('cut'));
    const onDeadline = (): void => {
      end({ kind: 'late', started: controller !== undefined });
      cut();
    };

    if (signal.aborted) return onDeadline();
    signal.addEventListener('abort', onDeadline, { once: true });
    dispatcher.dispatch(
      {
        origin: url.origin,
        path: url.pathname + url.search,
        method: request.method,
        headers: request.headers,
        body: request.body,
      },
      {
        onRequestStart(started) {
          controller = started;
          if (signal.aborted) cut();
        },
        onResponseStart(_controller, status, headers) {
          // 1xx announce an answer and are none.
          if (status >= 200) Object.assign(answer, { status, headers });
        },
        onResponseData(_controller, chunk) {
          if (answer.bytes < excerptBytes && request.isConfidential !== true) chunks.push(chunk);
          answer.bytes += chunk.length;
          if (answer.bytes <= maxResponseBytes) return;
          end({ kind: 'late', started: true });
          cut();
        },
        onResponseEnd() {
          end({ kind: 'late', started: true });
        },
        onResponseError(_controller, error) {
          if ('code' in error && error.code === 'UND_ERR_INVALID_ARG') reject(error);
          end({ kind: 'failed', started: controller !== undefined, error });
        },
      },
    );
  });
}

function readExcerpt(chunks: readonly Buffer[]): string {
  if (chunks.length === 0) return '';
  const text = new TextDecoder().decode(Buffer.concat(chunks).subarray(0, excerptBytes));
  // PostgreSQL cannot hold NUL, and a console should not act on what a receiver sends.
  return text.replace(/[^\P{Cc}\n\t]/gu, ' ');
}
