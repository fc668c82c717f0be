// What the API answers: the TypeScript side of plugins/kitwai/web/schemas.py, name by name (a test
// holds the two equal). Moments are epoch seconds, times seconds; null is not known.

export type Mode = "suggest" | "approve" | "auto";
export type ControlName = "mode" | "pause" | "pin" | "max_workers" | "limit";

export interface Page<Item> {
  items: Item[];
  next: number | null;
}

export interface Me {
  name: string;
  may_change: boolean;
  may_answer: boolean;
  may_promote: boolean;
  csrf: string;
}

export interface ControlView {
  name: string;
  value: string | number | null;
  at: number;
  by: string;
  until: number | null;
  in_force: boolean;
}

export interface ControlChange {
  name: ControlName;
  value: string | number | null;
  until: number | null;
}

export interface ApplicationView {
  id: string;
  name: string;
  target: number;
  elapsed_s: number;
  limit_s: number | null;
  limit_source: string;
  left_s: number | null;
  finish_s: number | null;
  miss_probability: number | null;
  tasks: number | null;
  tasks_done: number | null;
  reason: string;
}

export interface Flaps {
  used: number | null;
  budget: number | null;
}

export interface ApprovalView {
  id: number;
  cluster: string;
  decision_id: number;
  asked_at: number;
  expires_at: number;
  present: number | null;
  target: number | null;
  reason: string;
  answer: string | null;
  answered_at: number | null;
  answered_by: string | null;
}

export interface ApprovalAnswer {
  answer: "approved" | "rejected";
}

export interface ClusterView {
  cluster: string;
  error: string | null;
  observed_at: number | null;
  decided_at: number | null;
  decision_id: number | null;
  present: number | null;
  serving: number | null;
  starting: number | null;
  draining: number | null;
  target: number | null;
  mode: string | null;
  max_workers: number | null;
  limit_s: number | null;
  reason: string | null;
  policy: string | null;
  checkpoint: string | null;
  fallback: string | null;
  flaps: Flaps | null;
  applications: ApplicationView[] | null;
  missing: Record<string, string>;
  controls: ControlView[];
  ignored: string[];
  approval: ApprovalView | null;
}

export interface Mark {
  at: number;
  decision_id: number;
  present: number | null;
  target: number | null;
  reason: string;
}

type Column = (number | null)[];

export interface Timeline {
  at: number[];
  present: Column;
  target: Column;
  tasks: Column;
  tasks_done: Column;
  elapsed_s: Column;
  finish_s: Column;
  limit_s: Column;
  decision_id: Column;
  marks: Mark[];
  step_s: number | null;
  more_marks: boolean;
}

export interface DecisionSummary {
  id: number;
  at: number;
  mode: string;
  present: number | null;
  target: number | null;
  reason: string;
  policy: string;
  checkpoint: string | null;
  fallback: string | null;
  guardrails: string[];
  started: number | null;
  removed: number | null;
}

export interface WhatIf {
  target: number;
  finish_s: number | null;
  cost: number | null;
  miss_probability: number | null;
  q_value: number | null;
  allowed: boolean;
}

/** kitwai.core.records.constraint.Constraint */
export interface Constraint {
  max_workers: number;
  limit_s: number;
  miss: number;
}

/** kitwai.core.records.decision.GuardrailNote */
export interface GuardrailNote {
  name: string;
  before: number;
  after: number;
  reason: string;
}

/** kitwai.core.records.decision.ApplicationDecision */
export interface ApplicationDecision {
  id: string;
  name: string;
  constraint: Constraint;
  limit_source: string;
  elapsed_s: number;
  target: number;
  reason: string;
  policy: string | null;
  checkpoint: string | null;
  mask: boolean[];
  q_values: number[] | null;
  miss_probability: number[] | null;
  predicted_finish_s: number[] | null;
  guardrails: GuardrailNote[];
}

/** kitwai.core.records.decision.Decision */
export interface Decision {
  cluster: string;
  at: number;
  mode: Mode;
  constraint: Constraint;
  present: number | null;
  target: number | null;
  reason: string;
  policy: string;
  checkpoint: string | null;
  fallback: string | null;
  applications: ApplicationDecision[];
  guardrails: GuardrailNote[];
  held: boolean;
  decided_at: number | null;
  history: string | null;
}

/** kitwai.pools.reach.ScalingOutcome, as far as the page shows it. */
export interface Scaling {
  /** null: it is under way, or its process died. */
  ended_at?: number | null;
  target?: number;
  /** Names, or how many. */
  started?: string[] | number;
  drained?: string[];
  stopped?: string[];
  settled?: boolean;
  waiting?: string[];
  failed?: string[];
  seconds?: number;
}

export interface DecisionDetail {
  id: number;
  observation_id: number;
  decision: Decision;
  settings: Record<string, unknown>;
  what_if: Record<string, WhatIf[]>;
  scalings: Scaling[];
}

export interface ModelView {
  version: string;
  champion: boolean;
  parent: string | null;
  created: string | null;
  trusted: Record<string, boolean>;
  metrics: Record<string, unknown>;
  error: string | null;
}

export interface ModelDetail extends ModelView {
  card: string | null;
  pictures: string[];
}

export interface Verdict {
  id: number;
  at: number;
  run_id: string | null;
  version: string;
  champion: string | null;
  verdict: string;
  reason: string;
}

export interface Moved {
  champion: string;
  before: string | null;
}

export interface ReplayRequest {
  since: number;
  until: number;
  checkpoint: string | null;
  policy: string | null;
}

export interface ReplayPolicy {
  name: string;
  limits: number | null;
  met: number | null;
  worker_s: number | null;
}

/** kitwai.core.decide.comparison.Seen: the second policy's targets less the first's. */
export interface Seen {
  loss: number | null;
  cost_s: number | null;
  finish_s: number | null;
  miss: number | null;
}

/** kitwai.core.decide.comparison.Comparison */
export interface Comparison {
  decisions: number;
  differs: number;
  fewer: number;
  more: number;
  workers: number | null;
  judged: number;
  same_forecast: number;
  first: Seen;
  second: Seen;
}

export interface Replay {
  cluster: string;
  since: number;
  until: number;
  observations: number;
  differs: number;
  share: number | null;
  comparison: Comparison;
  real: ReplayPolicy;
  recorded: ReplayPolicy;
  replayed: ReplayPolicy;
  unknown: string[];
  notes: string[];
  at: number[];
  recorded_target: Column;
  replayed_target: Column;
}

export interface ShadowView {
  cluster: string;
  checkpoint: string;
  champion: string;
  decisions: number;
  differs: number;
  fewer_workers: number;
  more_workers: number;
  regret_champion: number | null;
  regret_challenger: number | null;
  since: number;
  until: number;
  comparison: Comparison;
  kinship: string | null;
  outcome: ReplayPolicy[] | null;
  notes: string[];
}
