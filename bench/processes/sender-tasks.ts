/** Sends webhooks or mails and does nothing else. */
import { mailAll, postAll } from '../peers/raw-senders.ts';
import { doTasks } from './child-process.ts';

export type SenderTask = { readonly to: string; readonly count: number };

await doTasks<SenderTask>(async ({ to, count }) => {
  if (to.startsWith('smtp:')) await mailAll(to, count);
  else await postAll(to, count);
  return;
});
