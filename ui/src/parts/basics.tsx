// Small parts that every view uses.

import type { ComponentChildren, JSX } from "preact";

import type { ApiError } from "../api/client";
import { ago, clock, duration, iso, utc } from "../lib/format";
import { useNow, type Loaded } from "../lib/use";

/** A moment in local time; UTC on hover. */
export function Time({
  at,
  now,
  seconds = true,
}: {
  at: number;
  now?: number;
  seconds?: boolean;
}): JSX.Element {
  return (
    <time dateTime={iso(at)} title={utc(at)}>
      {clock(at, now, seconds)}
    </time>
  );
}

/** A moment as the time since; local time and UTC on hover. */
export function Ago({ at }: { at: number }): JSX.Element {
  const now = useNow();
  return (
    <time dateTime={iso(at)} title={`${clock(at, now)} (${utc(at)})`}>
      {ago(at, now)}
    </time>
  );
}

export type Tone = "neutral" | "info" | "good" | "warn" | "bad";

export function Badge({
  tone = "neutral",
  title,
  children,
}: {
  tone?: Tone;
  title?: string;
  children: ComponentChildren;
}): JSX.Element {
  return (
    <span class={`badge ${tone}`} title={title}>
      {children}
    </span>
  );
}

export function Notice({
  tone,
  title,
  children,
}: {
  tone: Tone;
  title?: string;
  children?: ComponentChildren;
}): JSX.Element {
  return (
    <div class={`notice ${tone}`} role={tone === "bad" ? "alert" : undefined}>
      {title && <strong>{title}</strong>} {children}
    </div>
  );
}

export function Empty({
  title,
  children,
}: {
  title: string;
  children?: ComponentChildren;
}): JSX.Element {
  return (
    <div class="empty">
      <p class="empty-title">{title}</p>
      {children && <p>{children}</p>}
    </div>
  );
}

/** Placeholder of the size of what is to come. */
export function Loading({ lines = 3 }: { lines?: number }): JSX.Element {
  return (
    <div class="loading" role="status">
      <span class="hidden">Loading</span>
      {Array.from({ length: lines }, (_, index) => (
        <span class="bone" key={index} aria-hidden="true" />
      ))}
    </div>
  );
}

const PATIENCE = 3;

/**
 * What `loaded` brought, by `children`; before that a placeholder, and above it a banner once no
 * answer has come for some time.
 */
export function Data<Of>({
  loaded,
  everyS = 0,
  lines,
  children,
}: {
  loaded: Loaded<Of>;
  everyS?: number;
  lines?: number;
  children: (data: Of) => ComponentChildren;
}): JSX.Element {
  return (
    <>
      {loaded.error && (
        <Failure error={loaded.error} at={loaded.at} everyS={everyS} reload={loaded.reload} />
      )}
      {loaded.data === null ? !loaded.error && <Loading lines={lines} /> : children(loaded.data)}
    </>
  );
}

function Failure({
  error,
  at,
  everyS,
  reload,
}: {
  error: ApiError;
  at: number | null;
  everyS: number;
  reload: () => void;
}): JSX.Element | null {
  const now = useNow();
  // One lost answer of a page that asks every few seconds is not worth a word.
  if (at !== null && everyS > 0 && now - at < PATIENCE * everyS) return null;
  return (
    <div class="notice bad" role="alert">
      <span>
        <strong>{at === null ? "Nothing to show." : `No answer for ${duration(now - at)}.`}</strong>{" "}
        {error.message}{" "}
        {at !== null && (
          <>
            What you see is from <Time at={at} />.
          </>
        )}
      </span>
      <button type="button" class="small" onClick={reload}>
        Try again
      </button>
    </div>
  );
}

/** A table that scrolls by itself where the screen is narrow. */
export function Table({
  caption,
  head,
  children,
  class: name = "",
}: {
  caption: string;
  head: ComponentChildren[];
  children: ComponentChildren;
  class?: string;
}): JSX.Element {
  return (
    // A region that scrolls must be reachable by keyboard.
    <div class="scroll" role="region" aria-label={caption} tabIndex={0}>
      <table class={name}>
        <caption class="hidden">{caption}</caption>
        <thead>
          <tr>
            {head.map((title, index) => (
              <th scope="col" key={index}>
                {title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </div>
  );
}

export function Field({
  label,
  hint,
  children,
}: {
  label: string;
  hint?: string;
  children: ComponentChildren;
}): JSX.Element {
  return (
    <label class="field">
      <span class="label">{label}</span>
      {children}
      {hint && <span class="hint">{hint}</span>}
    </label>
  );
}
