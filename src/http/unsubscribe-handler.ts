import type { IncomingMessage, ServerResponse } from 'node:http';
import type { UnsubscribeService } from '../service/unsubscribe-service.ts';

export type UnsubscribeHandlerOptions = {
  /** Whose mails they are, for people: the name of the product. */
  readonly name?: string;
  /** Told of faults, which are answered with 503. */
  readonly onError?: (error: Error) => void;
};

/** Answers one request; it never rejects. */
export type UnsubscribeHandler = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

/** Whichever path the door stands under, the token is the last part of it. */
function tokenOf(url: string): string {
  const end = url.search(/[?#]/);
  const path = end < 0 ? url : url.slice(0, end);
  return path.slice(path.lastIndexOf('/') + 1);
}

const mostBodyBytes = 4_096;
const bodyTimeoutMs = 10_000;

const pageHeaders = {
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy': "default-src 'none'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-robots-tag': 'noindex',
  'cache-control': 'no-store',
};

/**
 * The endpoint behind List-Unsubscribe (RFC 8058), to be mounted in an HTTP server of the host, before anything that reads
 * bodies. A POST with `List-Unsubscribe=One-Click` records the opt-out; a GET shows a page with buttons and records nothing,
 * because scanners of mails follow every link. Whatever is wrong with a token is answered alike.
 */
export function createUnsubscribeHandler(
  unsubscribe: Pick<UnsubscribeService, 'read' | 'optOut'>,
  options: UnsubscribeHandlerOptions = {},
): UnsubscribeHandler {
  const { onError } = options;
  const from = options.name === undefined ? '' : ` from ${escapeHtml(options.name)}`;

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = 'GET', url = '/' } = request;
    if (!['GET', 'HEAD', 'POST'].includes(method)) {
      send(response, { status: 405, title: 'Not possible', headers: { allow: 'GET, HEAD, POST' } });
      return;
    }
    const of = unsubscribe.read(tokenOf(url));
    if (of === null) {
      send(response, { status: 404, title: 'This link is not valid' });
    } else if (method !== 'POST') {
      send(response, { status: 200, title: `Stop messages${from}?`, body: form });
    } else {
      const fields = await readForm(request);
      if (fields?.get('List-Unsubscribe') !== 'One-Click') {
        send(response, { status: 400, title: 'Not understood' });
        return;
      }
      await unsubscribe.optOut(fields.get('scope') === 'all' ? { ...of, workflowId: null } : of);
      send(response, { status: 200, title: `You get no more of these messages${from}` });
    }
  }

  return async (request, response) => {
    try {
      await answer(request, response);
    } catch (error) {
      onError?.(error instanceof Error ? error : new Error(String(error), { cause: error }));
      send(response, { status: 503, title: 'Please try again later', headers: { 'retry-after': '60' } });
    }
  };
}

const form = `<form method="post">
<input type="hidden" name="List-Unsubscribe" value="One-Click">
<p><button name="scope" value="these">Stop messages of this kind</button></p>
<p><button name="scope" value="all">Stop all of them</button></p>
</form>`;

/** The fields of a form, as RFC 8058 lets them come: URL-encoded or multipart. Null for what is none, too long or too slow. */
async function readForm(request: IncomingMessage): Promise<FormData | null> {
  const timer = setTimeout(() => request.destroy(), bodyTimeoutMs);
  try {
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of request as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > mostBodyBytes) return null;
      chunks.push(chunk);
    }
    const headers = { 'content-type': request.headers['content-type'] ?? '' };
    return await new Response(Buffer.concat(chunks), { headers }).formData();
  } catch {
    return null;
  } finally {
    clearTimeout(timer);
  }
}

type Page = {
  readonly status: number;
  /** HTML. */
  readonly title: string;
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
};

function send(response: ServerResponse, { status, title, body = '', headers = {} }: Page): void {
  if (response.headersSent || response.destroyed) return;
  // What is left of a body that was not read is not waited for.
  const closing = status >= 400 ? { connection: 'close' } : {};
  response.writeHead(status, { ...pageHeaders, ...headers, ...closing });
  response.end(
    `<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<title>${title}</title>\n<h1>${title}</h1>\n${body}\n</html>\n`,
  );
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
}
