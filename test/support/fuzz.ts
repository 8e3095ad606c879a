/** What random tests start from: the same in every run, unless TOCSIN_SEED says otherwise. Stands in the names of the tests. */
export const seed = Number(process.env.TOCSIN_SEED ?? 20261121);
