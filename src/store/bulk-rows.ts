import { type ArrayParameter, boolArray, intArray, textArray, uuidArray } from './array-parameter.ts';

/** A column of rows that one statement writes. */
export type BulkColumn<Row> = { readonly name: string } & (
  | { readonly type: 'text' | 'uuid'; readonly of: (row: Row) => string | null }
  | { readonly type: 'int'; readonly of: (row: Row) => number }
  | { readonly type: 'bool'; readonly of: (row: Row) => boolean }
);
type Value = string | number | boolean | null;

/** Rows of a bulk statement, as SQL to select from and as its parameters. */
export type BulkRows<Row> = {
  /** How many parameters it takes. */
  readonly size: number;
  /** Stands in a `from`, its columns under their names; its parameters begin with this one. */
  readonly from: (firstParameter: number) => string;
  readonly parameters: (rows: readonly Row[]) => (ArrayParameter | Value)[];
};

/**
 * Rows whose columns travel as arrays, or as a single value where all rows have the same: most columns of a batch do, and each
 * array costs both sides as much as it has elements.
 *
 * @param key a column that is not null and always travels as an array; there are as many rows as it has elements
 */
export function bulkRows<Row>(
  key: { readonly name: string; readonly type: 'text' | 'uuid'; readonly of: (row: Row) => string },
  columns: readonly BulkColumn<Row>[],
): BulkRows<Row> {
  return {
    size: 1 + 2 * columns.length,
    from: (first) => {
      const arrays = [key, ...columns].map(({ type }, index) => `$${first + index}::${type}[]`);
      const firstValue = first + arrays.length;
      const selected = columns.map(
        ({ name, type }, index) => `coalesce(sent.${name}, $${firstValue + index}::${type}) as ${name}`,
      );
      return `(
        select ${[`sent.${key.name}`, ...selected].join(', ')}
        from unnest(${arrays.join(', ')}) as sent (${[key, ...columns].map(({ name }) => name).join(', ')})
      ) as row`;
    },
    parameters: (rows) => {
      const values = columns.map((column) => sharedValue(rows, column));
      const arrays = columns.map((column, index) => (values[index] === undefined ? arrayOf(rows, column) : null));
      return [arrayOf(rows, key), ...arrays, ...values.map((value) => value ?? null)];
    },
  };
}

/** What all rows have in the column; undefined when they differ. */
function sharedValue<Row>(rows: readonly Row[], { of }: BulkColumn<Row>): Value | undefined {
  const [first] = rows;
  const value = first === undefined ? null : of(first);
  return rows.every((row) => of(row) === value) ? value : undefined;
}

function arrayOf<Row>(rows: readonly Row[], column: BulkColumn<Row>): ArrayParameter {
  switch (column.type) {
    case 'uuid':
      return uuidArray(rows.map(column.of));
    case 'text':
      return textArray(rows.map(column.of));
    case 'int':
      return intArray(rows.map(column.of));
    case 'bool':
      return boolArray(rows.map(column.of));
  }
}
