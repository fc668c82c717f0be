// Numbers and moments as people read them: with their unit, "not known" as a dash.

export const UNKNOWN = "–";

/** `93` -> "1 min 33 s"; `null` -> a dash; a negative time keeps its sign. */
export function duration(seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return UNKNOWN;
  const sign = seconds < 0 ? "−" : "";
  const all = Math.round(Math.abs(seconds));
  if (all < 60) return `${sign}${all} s`;
  const units: [number, string][] = [
    [86_400, "d"],
    [3600, "h"],
    [60, "min"],
    [1, "s"],
  ];
  const first = units.findIndex(([size]) => all >= size);
  const [big, bigName] = units[first]!;
  const [small, smallName] = units[first + 1]!;
  const rest = Math.floor((all % big) / small);
  const head = `${sign}${Math.floor(all / big)} ${bigName}`;
  return rest ? `${head} ${rest} ${smallName}` : head;
}

/** `523` -> "8:43", for where room is scarce: min:s, or h:min:s. */
export function short(seconds: number): string {
  const all = Math.round(Math.abs(seconds));
  const minutes = Math.floor(all / 60);
  const tail = `${pad(all % 60)}`;
  const head = minutes < 60 ? `${minutes}` : `${Math.floor(minutes / 60)}:${pad(minutes % 60)}`;
  return `${seconds < 0 ? "−" : ""}${head}:${tail}`;
}

/** How long ago `at` was, in words. */
export function ago(at: number, now: number): string {
  const past = now - at;
  return past < 1.5 ? "now" : `${duration(past)} ago`;
}

/** `0.0123` -> "1.2 %"; small ones as "< 0.1 %". */
export function percent(share: number | null | undefined): string {
  if (share === null || share === undefined || !Number.isFinite(share)) return UNKNOWN;
  const value = share * 100;
  if (value > 0 && value < 0.1) return "< 0.1 %";
  if (value < 100 && value > 99.9) return "> 99.9 %";
  return `${value < 10 ? trim(value.toFixed(1)) : value.toFixed(0)} %`;
}

/** A plain number with `digits` places; thousands are grouped by thin spaces. */
export function number(value: number | null | undefined, digits = 0): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return UNKNOWN;
  const [whole, part] = Math.abs(value).toFixed(digits).split(".");
  const grouped = whole!.replace(/\B(?=(\d{3})+$)/g, "\u202f");
  return `${value < 0 ? "−" : ""}${grouped}${part ? `.${part}` : ""}`;
}

function trim(text: string): string {
  return text.replace(/\.?0+$/, "");
}

/** `count(1, "worker")` -> "1 worker". */
export function count(value: number | null | undefined, noun: string): string {
  return `${number(value)} ${noun}${value === 1 ? "" : "s"}`;
}

/** `signed(2)` -> "+2". */
export function signed(value: number): string {
  return value > 0 ? `+${value}` : value < 0 ? `−${-value}` : "±0";
}

const pad = (value: number): string => String(value).padStart(2, "0");

/** ISO 8601; undefined where `at` is no moment: something stored may lie beyond all dates. */
export function iso(at: number): string | undefined {
  const moment = new Date(at * 1000);
  return Number.isFinite(moment.getTime()) ? moment.toISOString() : undefined;
}

const NO_MOMENT = "no moment";

/** Local time; with the date where it is not that of `now`. */
export function clock(at: number, now: number = Date.now() / 1000, seconds = true): string {
  const moment = new Date(at * 1000);
  if (!Number.isFinite(moment.getTime())) return NO_MOMENT;
  const time = `${pad(moment.getHours())}:${pad(moment.getMinutes())}${seconds ? `:${pad(moment.getSeconds())}` : ""}`;
  const today = new Date(now * 1000).toDateString() === moment.toDateString();
  return today ? time : `${isoDate(moment)} ${time}`;
}

function isoDate(moment: Date): string {
  return `${moment.getFullYear()}-${pad(moment.getMonth() + 1)}-${pad(moment.getDate())}`;
}

/** "2026-11-24 23:05:01 UTC". */
export function utc(at: number): string {
  const text = iso(at);
  return text === undefined ? NO_MOMENT : `${text.slice(0, 19).replace("T", " ")} UTC`;
}

/** The value of an `<input type="datetime-local">`, and back. */
export function toLocalInput(at: number): string {
  const moment = new Date(at * 1000);
  return `${isoDate(moment)}T${pad(moment.getHours())}:${pad(moment.getMinutes())}`;
}

export function fromLocalInput(text: string): number | null {
  const at = new Date(text).getTime() / 1000;
  return Number.isFinite(at) ? at : null;
}

/** How a finish stands to its limit. */
export type Risk = "unknown" | "ok" | "tight" | "late";

/**
 * `late`: predicted after the limit, or more likely missed than met; `tight`: a chance of at least
 * `tightAt` to miss it.
 */
export function risk(
  finish: number | null,
  limit: number | null,
  miss: number | null,
  tightAt = 0.05,
): Risk {
  if (finish === null && miss === null) return "unknown";
  if (miss !== null && miss > 0.5) return "late";
  if (finish !== null && limit !== null && finish > limit) return "late";
  return miss !== null && miss >= tightAt ? "tight" : "ok";
}

export const RISK_WORD: Record<Risk, string> = {
  unknown: "not known yet",
  ok: "on time",
  tight: "tight",
  late: "late",
};

const DECIDERS: Record<string, string> = {
  network: "the network",
  forecast: "the forecast",
  rules: "the rules",
  // The names of old decisions.
  dqn: "the network",
  analytic: "the forecast",
};

/** What decided, in words; a version or a baseline is called by its own name. */
export function decider(policy: string): string {
  return policy
    .split(", ")
    .map((name) => DECIDERS[name] ?? name)
    .join(", ");
}
