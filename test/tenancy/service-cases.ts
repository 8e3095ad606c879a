import { DomainEvent } from '../../src/capture/domain-event.ts';
import { unwrap } from '../../src/model/result.ts';
import { blind, type Case, each, host, operator, ownRow, tenant, worker } from './case.ts';
import { directoryCases, inboxCases, preferenceCases, suppressionCases } from './people-cases.ts';
import type { Given } from './probe.ts';
import { workflowCases } from './workflow-cases.ts';

class InvoicePaid extends DomainEvent {
  readonly id = '1';
}

const orderFilter = { field: 'note', operator: 'is_not_null' } as const;

const letterIds = ({ heard }: Given) => [heard.deadDeliveryId, heard.failedExecutionId, heard.failedEventId];

const savedQueryCases: Record<string, Case> = {
  createSavedQuery: blind(ownRow, ({ t, tenantId, heard, options }) =>
    each([orderFilter, { field: 'tenant_id', operator: 'eq', value: heard.tenantId } as const], (filter) =>
      t.tocsin.savedQueries.createSavedQuery(
        tenantId,
        { name: heard.savedQuery, entityType: 'order', filter },
        options,
      ),
    ),
  ),
  updateSavedQuery: tenant(async ({ t, tenantId, heard, options }) => {
    const { savedQueries } = t.tocsin;
    const input = (name: string) => ({ name, entityType: 'order', filter: orderFilter });
    unwrap(await savedQueries.createSavedQuery(tenantId, input('own'), options));
    return [
      await savedQueries.updateSavedQuery(tenantId, heard.savedQuery, input(heard.savedQuery), options),
      await savedQueries.updateSavedQuery(tenantId, heard.savedQuery, input('mine'), options),
      await savedQueries.updateSavedQuery(tenantId, 'own', input(heard.savedQuery), options),
    ];
  }),
  getSavedQuery: tenant(({ t, tenantId, heard }) => t.tocsin.savedQueries.getSavedQuery(tenantId, heard.savedQuery)),
  listSavedQueries: tenant(({ t, tenantId, heard }) =>
    each([{}, { cursor: heard.savedQuery.slice(0, -1) }], (page) =>
      t.tocsin.savedQueries.listSavedQueries(tenantId, page),
    ),
  ),
  deleteSavedQuery: tenant(({ t, tenantId, heard, options }) =>
    t.tocsin.savedQueries.deleteSavedQuery(tenantId, heard.savedQuery, options),
  ),
};

const templateCases: Record<string, Case> = {
  setTemplate: blind(ownRow, ({ t, tenantId, heard, options }) =>
    t.tocsin.templates.setTemplate(tenantId, { name: heard.template, text: 'taken over' }, options),
  ),
  getTemplate: tenant(({ t, tenantId, heard }) => t.tocsin.templates.getTemplate(tenantId, heard.template)),
  listTemplates: tenant(({ t, tenantId }) => t.tocsin.templates.listTemplates(tenantId)),
  deleteTemplate: tenant(({ t, tenantId, heard, options }) =>
    t.tocsin.templates.deleteTemplate(tenantId, heard.template, options),
  ),
  storedTemplate: worker(({ t, tenantId, heard }) => t.tocsin.templates.storedTemplate(tenantId, heard.template)),
};

const secretCases: Record<string, Case> = {
  setSecret: tenant(({ t, tenantId, heard, options }) =>
    t.tocsin.secrets.setSecret(tenantId, heard.secret, 'taken over', options),
  ),
  listSecrets: tenant(({ t, tenantId }) => t.tocsin.secrets.listSecrets(tenantId)),
  deleteSecret: tenant(({ t, tenantId, heard, options }) =>
    t.tocsin.secrets.deleteSecret(tenantId, heard.secret, options),
  ),
  openSecret: worker(({ t, tenantId, heard }) =>
    t.tocsin.secrets.openSecret(tenantId, heard.secret, 'https://example.test/'),
  ),
  rotateSecrets: operator('encrypts the secrets of all tenants anew'),
  secretKeyUse: operator('counts the secrets of all tenants by key; no name, no value'),
};

const deadLetterCases: Record<string, Case> = {
  list: tenant(({ t, tenantId, heard }) =>
    each(
      [{}, { kind: 'event' as const }, { workflowId: heard.workflowId }, { cursor: heard.failedEventId }],
      (filter) => t.tocsin.deadLetters.list(tenantId, filter),
    ),
  ),
  show: tenant((given) => each(letterIds(given), (id) => given.t.tocsin.deadLetters.show(given.tenantId, id))),
  redrive: tenant((given) =>
    each(
      [letterIds(given), { all: true as const }, { all: true as const, workflowId: given.heard.workflowId }],
      (choice) => given.t.tocsin.deadLetters.redrive(given.tenantId, choice, given.options),
    ),
  ),
};

const forAll = 'works for all tenants';

/** Every public member of every service, as `service.member`. What reads goes before what removes: one leak shall not hide another. */
export const serviceCases: Readonly<Record<string, Case>> = Object.fromEntries(
  Object.entries({
    tocsin: {
      migrate: operator('changes the schema'),
      pendingMigrations: operator('looks at the schema'),
      verifySmtp: operator('asks the mail server'),
      close: operator('ends everything'),
    },
    database: {
      transaction: host('a transaction of the login, for code of the host'),
      close: operator('ends everything'),
    },
    capture: {
      install: operator('puts triggers on tables of the host'),
      verify: operator('looks at triggers of the host’s tables'),
      remove: operator('takes triggers off tables of the host'),
      list: operator('lists tables of the host'),
    },
    events: {
      registerHandler: host('code of the host'),
      dispatch: blind('it stores an event of the tenant it is given', ({ t, tenantId, heard, options }) =>
        t.tocsin.events.dispatch(new InvoicePaid({ tenantId, idempotencyKey: heard.eventKey }), options),
      ),
    },
    engine: {
      registerConditionHandler: host('code of the host'),
      registerActionHandler: host('code of the host'),
      registerRecipientResolver: host('code of the host'),
      warmUp: operator(forAll),
      prepare: operator(forAll),
      processEvent: operator('runs what the host hands it; what it does is attacked in engine.pg.test.ts'),
      executeDue: operator(forAll),
      claim: operator(forAll),
      attempt: operator(forAll),
      record: operator(forAll),
      pauseFailing: operator(forAll),
      reviewLeft: operator(forAll),
      offerPlaces: operator('the worker says how much it can take; nothing is read'),
      renew: operator(forAll),
      giveBack: operator(forAll),
    },
    workflows: workflowCases,
    directory: directoryCases,
    inbox: inboxCases,
    preferences: preferenceCases,
    suppressions: suppressionCases,
    unsubscribe: {
      path: operator('a setting'),
      link: host('makes a link of what it is given, for the engine; reads nothing'),
      read: host('opens a token; attacked in http.pg.test.ts'),
      optOut: worker(({ t, tenantId, heard }) =>
        each([heard.workflowId, null], async (workflowId) =>
          t.tocsin.unsubscribe.optOut({ tenantId, userId: heard.userId, channel: 'email', workflowId }),
        ),
      ),
    },
    tenants: {
      getSender: tenant(({ t, tenantId }) => t.tocsin.tenants.getSender(tenantId)),
      setSender: tenant(({ t, tenantId, heard, options }) =>
        each([`post@${heard.senderDomain}`, null], (address) =>
          t.tocsin.tenants.setSender(tenantId, { address }, options),
        ),
      ),
      setSenderDomains: operator('says what a tenant may send from'),
    },
    entityTypes: {
      register: host('the host’s words, the same for all tenants'),
      get: host('the same for all tenants'),
      list: host('the same for all tenants'),
      remove: host('the host’s words, the same for all tenants'),
    },
    savedQueries: savedQueryCases,
    templates: templateCases,
    secrets: secretCases,
    endpoints: {
      listEndpoints: tenant(({ t, tenantId, heard }) =>
        each([{}, { cursor: heard.origin.slice(0, -1) }], (page) => t.tocsin.endpoints.listEndpoints(tenantId, page)),
      ),
      getEndpoint: tenant(({ t, tenantId, heard }) => t.tocsin.endpoints.getEndpoint(tenantId, heard.origin)),
      resumeEndpoint: tenant(({ t, tenantId, heard, options }) =>
        t.tocsin.endpoints.resumeEndpoint(tenantId, heard.origin, options),
      ),
    },
    quotas: {
      getQuotas: tenant(({ t, tenantId }) => t.tocsin.quotas.getQuotas(tenantId)),
      setQuotas: operator('gives a tenant its quotas'),
    },
    deadLetters: deadLetterCases,
    retention: {
      setRetention: blind(ownRow, ({ t, tenantId, options }) => t.tocsin.retention.setRetention(tenantId, 3, options)),
      getRetention: tenant(({ t, tenantId }) => t.tocsin.retention.getRetention(tenantId)),
      prune: operator('removes what is old, of all tenants'),
    },
    listener: {
      start: operator(forAll),
      stop: operator(forAll),
      runOnce: operator(forAll),
      backlog: operator('counts what waits, of all tenants'),
      health: operator('what /healthz answers; looked at in http.pg.test.ts'),
    },
    metrics: {
      eventsMatched: operator('counts for /metrics'),
      executionWritten: operator('counts for /metrics'),
      loopsDetected: operator('counts for /metrics'),
      workflowsPaused: operator('counts for /metrics'),
      attemptsRecorded: operator('counts for /metrics'),
      captureProblems: operator('counts for /metrics'),
      loopFailed: operator('counts for /metrics'),
      oldestTransaction: operator('counts for /metrics'),
      render: operator('what /metrics answers; looked at in http.pg.test.ts'),
    },
  } satisfies Record<string, Record<string, Case>>).flatMap(([service, cases]) =>
    Object.entries(cases).map(([member, one]) => [`${service}.${member}`, one]),
  ),
);
