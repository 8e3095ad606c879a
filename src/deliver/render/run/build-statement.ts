import type { For, If, Output, Statement } from '../parse/tree.ts';
import type { Escape, Placement, Sink } from '../sinks/sink.ts';
import { buildExpression } from './build-expression.ts';
import type { Run } from './run.ts';
import { dataOnly, isList, isRecord, keysOf, memberOf, textOf } from './value.ts';

/** Runs statements: writes text, changes variables. */
export type Execute = (run: Run) => void;

/** What decides how texts and values are written. */
export type Writing = { readonly sink: Sink; readonly placement: Placement };

/** Turns statements into one closure; no code is generated. Also a loop without a body takes a step per element. */
export function buildBody(body: readonly Statement[], writing: Writing): Execute {
  const steps = body.map((statement) => buildStatement(statement, writing));
  return (run) => {
    for (const step of steps) step(run);
  };
}

function buildStatement(statement: Statement, writing: Writing): Execute {
  switch (statement.kind) {
    case 'text': {
      const text = writing.sink.literal(statement.text);
      return (run) => run.write(text);
    }
    case 'output':
      return buildOutput(statement, writing.placement.escapeOf(statement));
    case 'if':
      return buildIf(statement, writing);
    case 'for':
      return buildFor(statement, writing);
    case 'assign': {
      const value = buildExpression(statement.value);
      return (run) => {
        run.at = statement.at;
        run.slots[statement.slot] = value(run);
      };
    }
  }
}

function buildOutput(output: Output, makeSafe: Escape): Execute {
  const value = buildExpression(output.value);
  return (run) => {
    run.at = output.at;
    run.writeValue(textOf(value(run), run.meter), makeSafe);
  };
}

function buildIf(statement: If, writing: Writing): Execute {
  const branches = statement.branches.map(({ condition, body }) => ({
    holds: buildExpression(condition),
    body: buildBody(body, writing),
  }));
  const otherwise = buildBody(statement.otherwise, writing);
  return (run) => {
    for (const branch of branches) {
      run.at = statement.at;
      if (branch.holds(run)) return branch.body(run);
    }
    return otherwise(run);
  };
}

function buildFor(statement: For, writing: Writing): Execute {
  const source = buildExpression(statement.source);
  const body = buildBody(statement.body, writing);
  const otherwise = buildBody(statement.otherwise, writing);
  const { targets, slots, loop } = statement;
  return (run) => {
    run.at = statement.at;
    const rows = rowsOf(source(run), targets.length, run);
    if (rows.length === 0) return otherwise(run);
    run.clear(slots.from, slots.to);
    const state = { index: 0, length: rows.length };
    run.loops[loop] = state;
    for (; state.index < rows.length; state.index++) {
      run.meter.step();
      assignTargets(run, targets, rows[state.index]);
      body(run);
    }
  };
}

/** What is looped over: the elements of a list, or with two variables the keys and values of an object; else nothing. */
function rowsOf(value: unknown, targets: number, run: Run): readonly unknown[] {
  if (isList(value)) return value;
  if (targets !== 2 || !isRecord(value)) return [];
  return keysOf(value, run.meter).map((key) => [key, memberOf(value, key)]);
}

function assignTargets(run: Run, targets: readonly number[], row: unknown): void {
  const [first = 0] = targets;
  if (targets.length === 1) {
    run.slots[first] = dataOnly(row);
    return;
  }
  for (const [index, slot] of targets.entries()) run.slots[slot] = memberOf(isList(row) ? row : undefined, index);
}
