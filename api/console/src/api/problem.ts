/** RFC 9457, with the members this gateway adds. */
export interface ProblemBody {
  title?: string;
  detail?: string;
  status?: number;
  errors?: { field: string; reason: string }[];
  actions?: unknown;
}

/** A request that was answered with an error, or (status 0) not at all. */
export class Problem extends Error {
  readonly status: number;
  readonly body: ProblemBody;
  /** Seconds the gateway asks us to wait, when it says so. */
  readonly retryAfter: number | null;

  constructor(status: number, body: ProblemBody, retryAfter: number | null = null) {
    super(body.detail ?? body.title ?? `HTTP ${status}`);
    this.status = status;
    this.body = body;
    this.retryAfter = retryAfter;
  }

  static async from(response: Response): Promise<Problem> {
    let body: ProblemBody = {};
    try {
      const parsed: unknown = await response.json();
      if (parsed !== null && typeof parsed === 'object') body = parsed;
    } catch {
      // Not every proxy in between speaks JSON; the status still says enough.
    }
    const seconds = Number.parseInt(response.headers.get('Retry-After') ?? '', 10);
    return new Problem(response.status, body, Number.isFinite(seconds) ? seconds : null);
  }
}
