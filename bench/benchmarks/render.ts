import { Environment, Template } from 'nunjucks';
import { compileTemplate } from '../../src/deliver/render/compile-template.ts';
import { unwrap } from '../../src/model/result.ts';
import { type Benchmark, type Figures, measureInTurn, type PreparedBenchmark, WrongAnswer } from '../benchmark.ts';

/** One message of a tenant: its template, where it goes, and how often a round renders it. */
type Message = { readonly source: string; readonly sink: 'text' | 'html'; readonly renders: number };

const short: Message = {
  source:
    'Order {{ payload.id }} of {{ payload.customer.name }} over {{ payload.total }} {{ payload.currency }} is {{ payload.status }}',
  sink: 'text',
  renders: 300_000,
};

const row = '<tr><td>{{ item.name }}</td><td>{{ item.quantity }}</td><td>{{ item.price }}</td></tr>\n';
const mail: Message = {
  source: `<html><body style="font-family: sans-serif">
<h1>Thank you, {{ payload.customer.name }}</h1>
<p>Your order <a href="https://shop.example.com/orders/{{ payload.id }}">{{ payload.id }}</a> is {{ payload.status }}.</p>
${'<p>We pack it with care, and tell you as soon as it leaves our house. You need not answer this message.</p>\n'.repeat(12)}
<table>
{% for item in payload.items %}${row}{% endfor %}</table>
{% if payload.total > 100 %}<p>The postage is ours.</p>{% endif %}
<p>Total: {{ payload.total }} {{ payload.currency }}</p>
</body></html>`,
  sink: 'html',
  renders: 20_000,
};

const context = {
  payload: {
    id: 4711,
    status: 'paid & packed',
    total: 640.5,
    currency: 'EUR',
    customer: { name: 'Ann O’Neil' },
    items: Array.from({ length: 10 }, (_, index) => ({ name: `Thing ${index}`, quantity: index, price: index * 1.5 })),
  },
};

/** Rendering a tenant's template, checked and within its budget, against nunjucks' generated code, which is neither. */
export const renderBenchmark: Benchmark = {
  name: 'render',
  about:
    'One message from a template that is kept: the closed interpreter with its budgets against plain compiled nunjucks; a short text with 5 variables, and an HTML mail with autoescape, a loop over 10 rows and a condition. Both must give the same text.',
  prepare: async () => prepare(),
};

function prepare(): PreparedBenchmark {
  const variants = {
    'Tocsin, short': withTocsin(short),
    'nunjucks, short': withNunjucks(short),
    'Tocsin, mail': withTocsin(mail),
    'nunjucks, mail': withNunjucks(mail),
  };
  compareTexts(variants['Tocsin, short'](), variants['nunjucks, short']());
  compareTexts(variants['Tocsin, mail'](), variants['nunjucks, mail']());
  const measured = Object.entries(variants).map(([name, render]) => {
    const { renders } = name.endsWith('short') ? short : mail;
    return [name, async () => measure(render, renders)] as const;
  });
  for (const [name, render] of Object.entries(variants)) measure(render, name.endsWith('short') ? 50_000 : 5_000);
  const target = { atLeast: 0.5 };
  const figure = 'renders/s';
  return {
    settings: {
      'short, characters': variants['Tocsin, short']().length,
      'mail, characters': variants['Tocsin, mail']().length,
    },
    comparisons: [
      { claim: 'a short message', variant: 'Tocsin, short', peer: 'nunjucks, short', figure, target },
      { claim: 'a mail', variant: 'Tocsin, mail', peer: 'nunjucks, mail', figure, target },
    ],
    measureRound: () => measureInTurn(Object.fromEntries(measured)),
    close: async () => undefined,
  };
}

function withTocsin({ source, sink }: Message): () => string {
  const template = unwrap(compileTemplate(source, { sink, roots: ['payload'] }));
  return () => unwrap(template.render(context));
}

function withNunjucks({ source, sink }: Message): () => string {
  const template = new Template(source, new Environment([], { autoescape: sink === 'html' }), '', true);
  return () => template.render(context);
}

function compareTexts(ours: string, theirs: string): void {
  if (ours !== theirs) throw new WrongAnswer([`nunjucks renders\n${theirs}\nnot\n${ours}`]);
}

function measure(render: () => string, renders: number): Figures {
  let characters = 0;
  const startedAt = performance.now();
  for (let index = 0; index < renders; index++) characters += render().length;
  const seconds = (performance.now() - startedAt) / 1000;
  if (characters === 0) throw new WrongAnswer(['nothing was rendered']);
  return { 'renders/s': renders / seconds, 'us per render': (seconds / renders) * 1e6 };
}
