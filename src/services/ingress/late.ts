/** Something that is opened when it is first needed, and again after it could not be: what ingress needs may be away when it starts, and later. */
export class Late<T> {
  readonly #open: () => Promise<T>;
  #opening: Promise<T> | undefined;

  constructor(open: () => Promise<T>) {
    this.#open = open;
  }

  get(): Promise<T> {
    this.#opening ??= this.#open().catch((error: unknown) => {
      this.#opening = undefined;
      throw error;
    });
    return this.#opening;
  }

  /** What was opened, if it could be. Never rejects. */
  async opened(): Promise<T | undefined> {
    return await this.#opening?.catch(() => undefined);
  }
}
