/** The same database; every statement adds one. `BEGIN` and `COMMIT` are not counted. */
import type { Connection, Database } from '../../src/platform/database/database.ts';

export function countStatements(database: Database): { readonly counted: Database; take(): number } {
  let count = 0;
  const watch = (connection: Connection): Connection => ({
    client: connection.client,
    query(text, values, how) {
      count += 1;
      return connection.query(text, values, how);
    },
  });
  return {
    counted: {
      ...database,
      query(text, values, how) {
        count += 1;
        return database.query(text, values, how);
      },
      transaction: (work, how) => database.transaction((tx) => work(watch(tx)), how),
      withConnection: (work) => database.withConnection((connection) => work(watch(connection))),
    },
    take() {
      const taken = count;
      count = 0;
      return taken;
    },
  };
}
