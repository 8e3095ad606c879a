import { randomUUID } from 'node:crypto';
import { createTransport } from 'nodemailer';
import { Pool } from 'undici';

/** Requests of a worker to one endpoint at once, and connections to a mail server: the defaults. The peers have as many. */
export const httpConnections = 10;
export const smtpConnections = 5;

/** The body of a webhook, about as long as the benchmark's. */
const body = JSON.stringify({
  type: 'order.insert',
  order: 12_345,
  total: 1_345,
  customer: 'Customer 2345',
  note: 'x'.repeat(140),
});

/** Posts as fast as a pool of undici can, over connections that stay open; the headers are as many as a webhook's. */
export async function postAll(origin: string, count: number): Promise<void> {
  const pool = new Pool(origin, { connections: httpConnections, pipelining: 1 });
  let left = count;
  const post = async () => {
    while (left > 0) {
      left -= 1;
      const headers = { 'content-type': 'application/json', 'user-agent': 'bench', 'webhook-id': randomUUID() };
      const response = await pool.request({ path: '/hook', method: 'POST', headers, body });
      await response.body.dump();
    }
  };
  await Promise.all(Array.from({ length: httpConnections }, post));
  await pool.close();
}

/** Mails as fast as nodemailer's pool can, as its documentation of pooled SMTP has it. */
export async function mailAll(url: string, count: number): Promise<void> {
  const { hostname, port } = new URL(url);
  const mailer = createTransport({ host: hostname, port: Number(port), pool: true, maxConnections: smtpConnections });
  let left = count;
  const send = async () => {
    while (left > 0) {
      left -= 1;
      await mailer.sendMail({
        from: 'shop@host.example',
        to: { name: 'Ann Archer', address: 'ann@acme.example' },
        subject: `Order ${left}`,
        text: `Customer ${left} ordered for ${left} EUR`,
        messageId: `<${randomUUID()}@host.example>`,
      });
    }
  };
  await Promise.all(Array.from({ length: smtpConnections }, send));
  mailer.close();
}
