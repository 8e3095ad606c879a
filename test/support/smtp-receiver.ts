export * from '../../src/testing/smtp-receiver.ts';
