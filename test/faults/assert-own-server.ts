import pg from 'pg';

/**
 * Throws unless the server behind the URL is the one that runs on this data directory: what kills servers kills only those
 * that it started itself.
 */
export async function assertOwnServer(url: string, dataDir: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query<{ data_directory: string }>('show data_directory');
    const found = rows[0]?.data_directory;
    if (found === dataDir) return;
    throw new Error(`refused: the server at ${url} was not started by this run (its data is in ${found})`);
  } finally {
    await client.end();
  }
}
