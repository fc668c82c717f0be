// Every request of the page. The API lies beside it, under api/v1/.

import type {
  ApprovalView,
  ClusterView,
  ControlChange,
  ControlView,
  DecisionDetail,
  DecisionSummary,
  Me,
  ModelDetail,
  ModelView,
  Moved,
  Page,
  Replay,
  ReplayRequest,
  ShadowView,
  Timeline,
  Verdict,
} from "./types";

/** What the API said against a request, in its one sentence. `status` 0: it gave no answer. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

type Query = Record<string, string | number | boolean | null | undefined>;

const ROOT = new URL("api/v1/", document.baseURI);
const TIMEOUT_MS = 20_000;
const SLOW_TIMEOUT_MS = 300_000;
/** All of a day at a step every 15 s. */
const MOST_POINTS = 6000;

let csrf = "";

/** The address of a route, for links and pictures too. */
export function address(path: string, query: Query = {}): string {
  const url = new URL(path, ROOT);
  for (const [name, value] of Object.entries(query)) {
    if (value !== null && value !== undefined && value !== "") {
      url.searchParams.set(name, String(value));
    }
  }
  return url.href;
}

async function ask<Answer>(
  url: string,
  init: RequestInit,
  timeoutMs = TIMEOUT_MS,
): Promise<Answer> {
  let answer: Response;
  try {
    answer = await fetch(url, {
      ...init,
      credentials: "same-origin",
      signal: AbortSignal.timeout(timeoutMs),
    });
  } catch (error) {
    const late = error instanceof DOMException && error.name === "TimeoutError";
    const what = late
      ? `Airflow has not answered within ${timeoutMs / 1000} s.`
      : "Airflow cannot be reached.";
    throw new ApiError(0, what);
  }
  if (!answer.ok) throw new ApiError(answer.status, await sentence(answer));
  return (await answer.json()) as Answer;
}

/** The one sentence of a refusal; FastAPI's own checks answer a list of faults. */
async function sentence(answer: Response): Promise<string> {
  if (answer.status === 401) return "You are not logged in any more: log in to Airflow again.";
  let detail: unknown;
  try {
    detail = ((await answer.json()) as { detail?: unknown }).detail;
  } catch {
    detail = undefined;
  }
  if (typeof detail === "string" && detail) return detail;
  if (Array.isArray(detail)) {
    const first = detail[0] as { loc?: unknown[]; msg?: string } | undefined;
    if (first?.msg)
      return `${(first.loc ?? []).slice(1).join(" ")}: ${first.msg}.`.replace(/^: /, "");
  }
  return `Airflow answered ${answer.status} ${answer.statusText}.`;
}

function get<Answer>(path: string, query?: Query): Promise<Answer> {
  return ask<Answer>(address(path, query), {});
}

function post<Answer>(path: string, body: unknown, timeoutMs?: number): Promise<Answer> {
  return ask<Answer>(
    address(path),
    {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-Kitwai-CSRF": csrf },
      body: JSON.stringify(body),
    },
    timeoutMs,
  );
}

const part = encodeURIComponent;

/** What the history may be narrowed to. */
export interface DecisionFilter {
  [name: string]: string | number | boolean | null | undefined;
  since?: number | null;
  until?: number | null;
  changed?: boolean | null;
  mode?: string | null;
  search?: string | null;
}

export const api = {
  async me(): Promise<Me> {
    const me = await get<Me>("me");
    csrf = me.csrf;
    return me;
  },
  clusters: () => get<ClusterView[]>("clusters"),
  cluster: (name: string) => get<ClusterView>(`clusters/${part(name)}`),
  timeline: (name: string, since: number, until: number) =>
    get<Timeline>(`clusters/${part(name)}/timeline`, { since, until, most: MOST_POINTS }),
  decisions: (name: string, filter: DecisionFilter, before: number | null, limit: number) =>
    get<Page<DecisionSummary>>(`clusters/${part(name)}/decisions`, { ...filter, before, limit }),
  decisionsCsv: (name: string, filter: DecisionFilter) =>
    address(`clusters/${part(name)}/decisions.csv`, filter),
  decision: (id: number) => get<DecisionDetail>(`decisions/${id}`),
  observationAddress: (id: number) => address(`observations/${id}`),
  controls: (name: string, before: number | null) =>
    get<Page<ControlView>>(`clusters/${part(name)}/controls`, { before, limit: 50 }),
  control: (name: string, change: ControlChange) =>
    post<ControlView>(`clusters/${part(name)}/controls`, change),
  approvals: () => get<Page<ApprovalView>>("approvals", { open: true }),
  answer: (id: number, answer: "approved" | "rejected") =>
    post<ApprovalView>(`approvals/${id}`, { answer }),
  models: () => get<ModelView[]>("models"),
  model: (version: string) => get<ModelDetail>(`models/${part(version)}`),
  picture: (version: string, name: string) =>
    address(`models/${part(version)}/pictures/${part(name)}`),
  promote: (version: string) => post<Moved>(`models/${part(version)}/promote`, {}),
  rollback: () => post<Moved>("models/rollback", {}),
  training: (before: number | null) => get<Page<Verdict>>("training", { before, limit: 50 }),
  replay: (name: string, request: ReplayRequest) =>
    post<Replay>(`clusters/${part(name)}/replay`, request, SLOW_TIMEOUT_MS),
  shadow: (name: string) => get<ShadowView[]>(`clusters/${part(name)}/shadow`),
};
