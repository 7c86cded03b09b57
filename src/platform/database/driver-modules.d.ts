/** The parts of `pg-cursor` and `pg-copy-streams` that we use; neither package brings types of its own. */

declare module 'pg-cursor' {
  import type { Connection, Submittable } from 'pg';

  /** Rows of one statement, fetched in portions. Close it before the connection is used for anything else. */
  // biome-ignore lint/style/noDefaultExport: the package has one
  export default class Cursor<Row = Record<string, unknown>> implements Submittable {
    constructor(text: string, values?: readonly unknown[]);
    submit(connection: Connection): void;
    /** At most `rowCount` rows; an empty array at the end. */
    read(rowCount: number): Promise<Row[]>;
    close(): Promise<void>;
  }
}

declare module 'pg-copy-streams' {
  import type { Readable, Writable } from 'node:stream';
  import type { Connection, Submittable } from 'pg';

  /** `COPY … FROM STDIN`: write the rows in the format that the statement names. */
  export function from(
    text: string,
  ): Writable & Submittable & { readonly rowCount: number; submit(connection: Connection): void };
  /** `COPY … TO STDOUT`. */
  export function to(
    text: string,
  ): Readable & Submittable & { readonly rowCount: number; submit(connection: Connection): void };
}
