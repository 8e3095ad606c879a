import type { DemoReport, Expectation } from './demo-report.ts';

type Observed = Omit<DemoReport, 'expectations'>;

/** Compares what was received with what the workflows say should have been. */
export function checkDemo(report: Observed, erpToken: string): Expectation[] {
  const expectations: Expectation[] = [];
  const expect = (says: string, found: unknown, wanted: unknown) => {
    const text = JSON.stringify(found);
    expectations.push({ says, isMet: text === JSON.stringify(wanted), found: text });
  };

  const inbox = (tenant: string, user: string) =>
    report.inboxes
      .filter((one) => one.tenant === tenant && one.user === user)
      .flatMap(({ notifications }) => notifications.map(({ title, message }) => `${title}: ${message}`))
      .toSorted();
  expect(
    'mia (sales, owner, admin) was told once of the large order, of the deleted one and of the new user',
    inbox('acme', 'mia'),
    [
      'Large order A-4: Ann <b>Archer</b> ordered for 1.500,50\u00a0€',
      'New user: A new verified user has registered: johndoe',
      'Order deleted: Order A-5 is gone',
    ],
  );
  expect('tom made the approval, so he was not told of it', inbox('acme', 'tom'), [
    'Large order A-4: Ann <b>Archer</b> ordered for 1.500,50\u00a0€',
  ]);
  expect(
    'lea (department logistics) and bob (group warehouse) were told of the approval',
    [inbox('acme', 'lea'), inbox('acme', 'bob')],
    [['Order approved: Order A-4 has been approved by tom'], ['Order approved: Order A-4 has been approved by tom']],
  );
  expect("the other tenant's workflow told the other tenant's user, and nobody else", inbox('globex', 'zoe'), [
    'Big one: G-1: 7000 from Gus Grün',
  ]);
  expect('nobody was told of the order that was rolled back', JSON.stringify(report.inboxes).includes('A-6'), false);

  expect(
    'three mails went out, each to one address',
    report.mails.map(({ to, subject }) => `${to}: ${subject}`).toSorted(),
    [
      'fin@acme.test: Refund of 640 for A-3',
      'lea@acme.test: Order A-4 approved',
      'mia@acme.test: Thank you, Ann <b>Archer</b>',
    ],
  );
  const thanks = report.mails.find(({ to }) => to === 'mia@acme.test');
  expect(
    'what customers write is text in a mail, not markup',
    thanks?.html.includes('Ann &lt;b&gt;Archer&lt;/b&gt;'),
    true,
  );

  const [first, second] = report.webhooks;
  expect(
    'the webhook was answered 503, then delivered under the same id',
    report.webhooks.map(({ answered }) => answered),
    [503, 204],
  );
  expect('both carried the same webhook-id', first !== undefined && first.webhookId === second?.webhookId, true);
  expect(
    'both were signed',
    report.webhooks.map(({ isSignatureValid }) => isSignatureValid),
    [true, true],
  );
  expect('the secret was sent', second?.authorization, `Bearer ${erpToken}`);
  expect('the body is the payload the tenant wrote', second?.body, {
    event: 'order.refunded',
    order: 'A-3',
    amount: 640,
    customer: 'Bert Berg',
  });

  const log = JSON.stringify(report.executions);
  expect('the secret stands nowhere in the log', log.includes(erpToken), false);
  expect('the excluded column stands nowhere in the log', log.includes('4111111111111111'), false);
  expect('executions by status', countBy(report.executions.map(({ status }) => status)), { skipped: 2, success: 7 });
  return expectations;
}

function countBy(words: readonly string[]): Record<string, number> {
  const counts = Map.groupBy(words.toSorted(), (word) => word);
  return Object.fromEntries([...counts].map(([word, all]) => [word, all.length]));
}
