/** Waits that double from `first` to `most` milliseconds, with a fifth of jitter. */
export class Backoff {
  private next: number;

  constructor(
    private readonly first: number,
    private readonly most: number,
  ) {
    this.next = first;
  }

  /** It worked: the next wait is the first again. */
  reset(): void {
    this.next = this.first;
  }

  /** Resolves after the wait, or at once when aborted. */
  wait(signal: AbortSignal): Promise<void> {
    const span = this.next * (0.9 + Math.random() * 0.2);
    this.next = Math.min(this.next * 2, this.most);
    return new Promise((resolve) => {
      if (signal.aborted) return resolve();
      const timer = setTimeout(done, span);
      function done(): void {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        resolve();
      }
      signal.addEventListener('abort', done);
    });
  }
}
