import { describe, expect, test } from 'vitest';
import { readSmtpServer } from '../../../src/deliver/transports/smtp-server.ts';

describe('readSmtpServer', () => {
  test.each([
    ['smtp://mail.example.com', { host: 'mail.example.com', port: 587, secure: false, requireTLS: false }],
    ['smtps://mail.example.com', { host: 'mail.example.com', port: 465, secure: true, requireTLS: false }],
    ['smtp://mail.example.com:465', { host: 'mail.example.com', port: 465, secure: true, requireTLS: false }],
    ['smtp://[::1]:25', { host: '::1', port: 25, secure: false, requireTLS: false }],
    [
      'smtp://app:p%40ss@mail.example.com:2525',
      { host: 'mail.example.com', port: 2525, secure: false, requireTLS: true, auth: { user: 'app', pass: 'p@ss' } },
    ],
    [
      'smtp://app:pass@127.0.0.1:2525',
      { host: '127.0.0.1', port: 2525, secure: false, requireTLS: false, auth: { user: 'app', pass: 'pass' } },
    ],
  ])('reads %s', (url, expected) => {
    expect(readSmtpServer({ url })).toEqual(expected);
  });

  test('takes parts instead of a URL, and before it', () => {
    expect(readSmtpServer({ host: 'mail.example.com', secure: true })).toMatchObject({ port: 465, secure: true });
    expect(readSmtpServer({ url: 'smtp://mail.example.com', port: 2525, ca: 'PEM' })).toMatchObject({
      host: 'mail.example.com',
      port: 2525,
      tls: { ca: 'PEM' },
    });
  });

  test('sends a password without TLS to another machine only when told', () => {
    const server = { host: 'mail.example.com', user: 'app', pass: 'pass' };
    expect(readSmtpServer(server).requireTLS).toBe(true);
    expect(readSmtpServer({ ...server, requireTls: false }).requireTLS).toBe(false);
    expect(readSmtpServer({ ...server, host: 'localhost' }).requireTLS).toBe(false);
  });

  test.each([
    [{}, /needs a url .* or a host/],
    [{ host: 'mail.example.com', user: 'app' }, /user and pass together/],
    [{ url: 'mail.example.com:587' }, /smtp.url/],
    [{ url: 'smtp://' }, /smtp.url/],
  ])('throws for %j', (server, message) => {
    expect(() => readSmtpServer(server)).toThrow(message);
  });
});
