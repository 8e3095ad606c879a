/** `psql -qc` for the sessions in README: runs one statement on DATABASE_URL. */
import pg from 'pg';

const client = new pg.Client({ connectionString: process.env.DATABASE_URL });
await client.connect();
await client.query(process.argv[2] ?? '');
await client.end();
