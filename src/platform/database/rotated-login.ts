/**
 * User and password of each new connection where they may change while the program runs: a file that somebody keeps up to date, a secret in
 * Vault. Sessions that are open go on with what they began with, as the server lets them. Used by the pool and by LISTEN.
 */
import { parseDatabaseUrl } from './connection-url.ts';
import { isLoginRefused } from './database-error.ts';

/** The URL as it is now; a `Secret` is one. Of what it says only user and password are taken: everything else stays what it was at the start. */
export interface RotatedUrl {
  value(): Promise<string>;
  /** Read anew, after the server refused what `value` gave. */
  reload(): Promise<string>;
}

interface Login {
  readonly user: string;
  readonly password: string;
}

export class RotatedLogin {
  readonly #url: RotatedUrl;
  #last: Login | undefined;
  /** Counts the logins there were. */
  #version = 0;

  constructor(url: RotatedUrl) {
    this.#url = url;
  }

  async current(): Promise<Login> {
    return this.#taken(await this.#url.value());
  }

  /**
   * What `connect` gives; where the server refuses the login and there is another one now, what it gives then. Whoever keeps the secret
   * may know of a rotation only when it is asked anew.
   */
  async connecting<T>(connect: () => Promise<T>): Promise<T> {
    const before = this.#version;
    try {
      return await connect();
    } catch (error) {
      if (!isLoginRefused(error)) throw error;
      this.#taken(await this.#url.reload());
      if (this.#version === before) throw error;
      return await connect();
    }
  }

  /** A text that is no URL, a file that is half written for instance, changes nothing. */
  #taken(url: string): Login {
    let login: Login;
    try {
      const { client } = parseDatabaseUrl({ url, applicationName: '', setting: '' });
      login = { user: client.user ?? '', password: String(client.password ?? '') };
    } catch (error) {
      if (this.#last === undefined) throw error;
      return this.#last;
    }
    const known = this.#last;
    if (known !== undefined && (known.user !== login.user || known.password !== login.password)) this.#version += 1;
    this.#last = login;
    return login;
  }
}
