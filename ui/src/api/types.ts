// What the API answers and takes. The types come from its own description: `npm run types` makes
// schema.ts of ../../openapi.json. Moments are epoch seconds, times seconds; null is not known.

import type { components } from "./schema";

type Schemas = components["schemas"];

/** One part of a list; `next` asks for the part behind it. */
export type Page<Item> = Omit<Schemas["Page_ControlView_"], "items"> & { items: Item[] };

export type Me = Schemas["Me"];

export type ControlChange = Schemas["ControlChange"];
export type ControlName = ControlChange["name"];
export type ControlView = Schemas["ControlView"];

export type ApplicationView = Schemas["ApplicationView"];
export type ApprovalAnswer = Schemas["ApprovalAnswer"];
export type ApprovalView = Schemas["AskedDecision"];
export type ClusterView = Schemas["ClusterView"];

export type Mark = Schemas["Mark"];
export type Timeline = Schemas["Timeline"];

export type ApplicationDecision = Schemas["ApplicationDecision"];
export type DecisionDetail = Schemas["DecisionDetail"];
export type DecisionSummary = Schemas["DecisionLine"];
export type GuardrailNote = Schemas["GuardrailNote"];
export type Scaling = Schemas["Scaling"];
export type WhatIf = Schemas["WhatIf"];

export type ModelDetail = Schemas["ModelDetail"];
export type ModelView = Schemas["ModelView"];
export type Moved = Schemas["Moved"];
export type Verdict = Schemas["Verdict"];

export type Comparison = Schemas["Comparison"];
export type Replay = Schemas["ReplayReport"];
export type ReplayRequest = Schemas["ReplayRequest"];
export type ReplayPolicy = Schemas["ReplaySide"];
export type ShadowView = Schemas["ShadowReport"];
