export * from '../../src/testing/webhook-receiver.ts';
