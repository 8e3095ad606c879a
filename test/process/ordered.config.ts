/** Options of workers that call a receiver on this machine, and whose work is soon taken over. */
export default { webhooks: { allowHosts: ['127.0.0.1'] }, worker: { leaseMs: 2_000 } };
