import { createHostDirectory, hostTables } from '../../examples/host-directory.ts';
import { directoryContract } from '../support/directory-contract.ts';
import { useTestDatabase } from '../support/test-database.ts';

const db = useTestDatabase();

directoryContract('createHostDirectory', {
  open: () => createHostDirectory(db.database.pool),
  fill: async (people) => {
    const { pool } = db.database;
    await pool.query(hostTables);
    for (const { tenantId, user, roles = [], groups = [] } of people) {
      await pool.query(
        `insert into app_users (account, id, full_name, email, language, time_zone, profile, deactivated_at)
         values ($1, $2, $3, $4, $5, $6, $7, case when $8 then null else now() end)`,
        [tenantId, user.id, user.name, user.email, user.locale, user.timezone, user.attributes, user.active],
      );
      await pool.query('insert into app_user_roles select $1, unnest($3::text[]), $2', [tenantId, user.id, roles]);
      await pool.query('insert into app_team_members select $1, unnest($3::text[]), $2', [tenantId, user.id, groups]);
    }
  },
});
