/**
 * Ctrl-C while a command runs: it interrupts the command, and not the program; the second time at once.
 */
export class Interrupts {
  #current: { readonly controller: AbortController; readonly atOnce: () => void } | undefined;
  readonly #interrupt = (): void => {
    const { controller, atOnce } = this.#current ?? {};
    if (controller?.signal.aborted === true) atOnce?.();
    controller?.abort();
  };

  constructor() {
    process.on('SIGINT', this.#interrupt);
  }

  /** Runs what its signal interrupts; `atOnce` is for who does not wait until it has ended in order. */
  async during<T>(action: (signal: AbortSignal) => Promise<T>, atOnce: () => void): Promise<T> {
    const controller = new AbortController();
    this.#current = { controller, atOnce };
    try {
      return await action(controller.signal);
    } finally {
      this.#current = undefined;
    }
  }

  close(): void {
    process.off('SIGINT', this.#interrupt);
  }
}
