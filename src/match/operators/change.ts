/**
 * Operators that compare the record with itself before the update. Whatever is not an update changed nothing. A column
 * changed when the event says so; what lies below a column, when its value differs.
 */
import { compareValues } from '../../model/compare-values.ts';
import { fieldTypes } from '../../model/entity-type.ts';
import type { Json } from '../../model/json.ts';
import type { Subject } from '../condition.ts';
import type { ChangeOperator, ChangeSides, Decision } from '../operator.ts';
import { isEqual } from './equality.ts';
import { orderedTypes } from './order.ts';

/** `changed` (from and to anything, or the values given) to `decreased`. */
export const changeOperators: readonly ChangeOperator[] = [
  { kind: 'change', name: 'changed', types: fieldTypes, from: 'from', to: 'to', compile: changed },
  { kind: 'change', name: 'changed_from', types: fieldTypes, from: 'value', to: null, compile: changed },
  { kind: 'change', name: 'changed_to', types: fieldTypes, from: null, to: 'value', compile: changed },
  moved('increased', (order) => order > 0),
  moved('decreased', (order) => order < 0),
];

function changed(sides: ChangeSides): (subject: Subject) => Decision {
  const { before, after, from, to } = sides;
  return (subject) => {
    const didChange = hasChanged(subject, sides);
    if (didChange !== true) return didChange;
    const left = from === undefined || sameAs(before(subject), from);
    const reached = to === undefined || sameAs(after(subject), to);
    if (left === false || reached === false) return false;
    return left === 'error' ? left : reached;
  };
}

function hasChanged(subject: Subject, { column, before, after }: ChangeSides): Decision {
  if (subject.event.operation !== 'update') return false;
  if (column !== null) return subject.event.changed.includes(column);
  const was = before(subject);
  const is = after(subject);
  if (was === undefined || is === undefined) return was !== is;
  const same = isEqual(was, is);
  return same === 'error' ? same : !same;
}

function sameAs(value: Json | undefined, expected: Json): Decision {
  return value === undefined ? 'error' : isEqual(value, expected);
}

/** Null moves nowhere; a field that is not there, or values without an order, are an error. */
function moved(name: string, accepts: (order: number) => boolean): ChangeOperator {
  const compile = ({ before, after }: ChangeSides) => {
    return (subject: Subject): Decision => {
      if (subject.event.operation !== 'update') return false;
      const was = before(subject);
      const is = after(subject);
      if (was === undefined || is === undefined) return 'error';
      if (was === null || is === null) return false;
      const order = compareValues(is, was);
      return order === undefined ? 'error' : accepts(order);
    };
  };
  return { kind: 'change', name, types: orderedTypes, from: null, to: null, compile };
}
