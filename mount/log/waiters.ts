/** Those who wait for one thing to happen, the next time that it does. */
import type { Failure } from '../../protocol/failure.js';

interface Waiter {
  resolve(): void;
  reject(failure: Failure): void;
}

export class Waiters {
  #waiting: Waiter[] = [];

  get empty(): boolean {
    return this.#waiting.length === 0;
  }

  wait(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
    });
  }

  resolve(): void {
    for (const waiter of this.#takeAll()) waiter.resolve();
  }

  reject(failure: Failure): void {
    for (const waiter of this.#takeAll()) waiter.reject(failure);
  }

  #takeAll(): Waiter[] {
    const waiting = this.#waiting;
    this.#waiting = [];
    return waiting;
  }
}
