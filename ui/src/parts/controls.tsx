// What a person may set on a cluster: mode, pause, pin, N and T, each behind a confirmation.

import type { JSX } from "preact";
import { useState } from "preact/hooks";

import { api } from "../api/client";
import type { ClusterView, ControlName } from "../api/types";
import { consequence, CONTROL_WORD, controlValue, standing } from "../lib/consequence";
import { duration, fromLocalInput, toLocalInput } from "../lib/format";
import { Badge, Field, Time } from "./basics";
import { refusal, useShell } from "./context";
import { Ask, Confirm } from "./dialog";

const MODES = ["suggest", "approve", "auto"] as const;

/** Pause, pin and other settings in force, each with who and until when. */
export function ControlBadges({ cluster }: { cluster: ClusterView }): JSX.Element {
  return (
    <>
      {cluster.controls
        .filter((one) => one.in_force && one.name !== "mode")
        .map((one) => (
          <Badge key={one.name} tone={one.name === "pause" || one.name === "pin" ? "warn" : "info"}>
            {one.name === "pause"
              ? "Paused"
              : one.name === "pin"
                ? `Pinned to ${one.value}`
                : `${one.name === "limit" ? "T" : "N"} = ${one.value}`}
            {one.until !== null && (
              <>
                {" until "}
                <Time at={one.until} seconds={false} />
              </>
            )}
            {` by ${one.by}`}
          </Badge>
        ))}
    </>
  );
}

export function Controls({
  cluster,
  reload,
}: {
  cluster: ClusterView;
  reload: () => void;
}): JSX.Element {
  const { me } = useShell();
  const no = refusal(me, "change");
  return (
    <section class="panel" aria-labelledby="controls-title">
      <div class="panel-head">
        <h2 id="controls-title">Controls</h2>
        <a class="quiet" href={`#/clusters/${encodeURIComponent(cluster.cluster)}/controls`}>
          Record of changes
        </a>
      </div>
      {no && <p class="hint">{no}</p>}
      <div class="controls">
        <div class="segments" role="group" aria-label="Mode">
          {MODES.map((mode) => (
            <Ask key={mode} label={mode} refusal={no} pressed={cluster.mode === mode}>
              {(close) => (
                <ControlDialog
                  cluster={cluster}
                  name="mode"
                  preset={mode}
                  reload={reload}
                  close={close}
                />
              )}
            </Ask>
          ))}
        </div>
        <Setting
          cluster={cluster}
          name="pause"
          set="Pause …"
          lift="End the pause"
          no={no}
          reload={reload}
        />
        <Setting
          cluster={cluster}
          name="pin"
          set="Pin a target …"
          lift="Lift the pin"
          no={no}
          reload={reload}
        />
        <Setting
          cluster={cluster}
          name="max_workers"
          set="Set N …"
          lift="Lift N"
          no={no}
          reload={reload}
        />
        <Setting
          cluster={cluster}
          name="limit"
          set="Set T …"
          lift="Lift T"
          no={no}
          reload={reload}
        />
      </div>
    </section>
  );
}

interface SettingProps {
  cluster: ClusterView;
  name: ControlName;
  set: string;
  lift: string;
  no: string | null;
  reload: () => void;
}

function Setting({ cluster, name, set, lift, no, reload }: SettingProps): JSX.Element {
  const now = standing(cluster, name, Date.now() / 1000);
  return (
    <>
      <Ask label={set} refusal={no}>
        {(close) => <ControlDialog cluster={cluster} name={name} reload={reload} close={close} />}
      </Ask>
      {now && (
        <Ask label={lift} refusal={no}>
          {(close) => (
            <ControlDialog cluster={cluster} name={name} lift reload={reload} close={close} />
          )}
        </Ask>
      )}
    </>
  );
}

interface DialogProps {
  cluster: ClusterView;
  name: ControlName;
  preset?: string;
  lift?: boolean;
  reload: () => void;
  close: () => void;
}

const SPANS: [string, number][] = [
  ["15 min", 900],
  ["1 h", 3600],
  ["4 h", 14_400],
  ["24 h", 86_400],
];

function ControlDialog({
  cluster,
  name,
  preset,
  lift = false,
  reload,
  close,
}: DialogProps): JSX.Element {
  const { say } = useShell();
  const now = Date.now() / 1000;
  const needsEnd = name === "pause" || name === "pin";
  const [text, setText] = useState(preset ?? first(cluster, name));
  const [span, setSpan] = useState(needsEnd ? "3600" : "");
  const [end, setEnd] = useState(toLocalInput(now + 7200));

  const value = lift ? null : name === "pin" || name === "max_workers" ? Number(text) : text.trim();
  const until =
    lift || span === "" ? null : span === "at" ? fromLocalInput(end) : now + Number(span);
  const wrong = lift ? null : fault(cluster, name, text, span, until, now);
  const word = name === "pin" ? "Pin a target" : CONTROL_WORD[name];
  const title = lift ? `Lift: ${CONTROL_WORD[name]}` : word;
  return (
    <Confirm
      title={`${title} · ${cluster.cluster}`}
      says={wrong === null && consequence(cluster, name, value, until, now)}
      wrong={wrong}
      confirm={lift ? "Lift it" : "Confirm"}
      danger={name === "mode" && value === "auto"}
      act={() => api.control(cluster.cluster, { name, value, until })}
      done={() => {
        say(`${CONTROL_WORD[name]} of ${cluster.cluster}: ${controlValue(name, value)}.`);
        reload();
      }}
      close={close}
    >
      {!lift && (
        <div class="fields">
          <ValueField cluster={cluster} name={name} text={text} setText={setText} />
          <Field label="Until">
            <select value={span} onChange={(event) => setSpan(event.currentTarget.value)}>
              {!needsEnd && <option value="">it is changed again</option>}
              {SPANS.map(([word, seconds]) => (
                <option key={word} value={seconds}>
                  in {word}
                </option>
              ))}
              <option value="at">a moment …</option>
            </select>
          </Field>
          {span === "at" && (
            <Field label="Moment (local time)">
              <input
                type="datetime-local"
                value={end}
                onInput={(event) => setEnd(event.currentTarget.value)}
              />
            </Field>
          )}
        </div>
      )}
    </Confirm>
  );
}

function ValueField({
  cluster,
  name,
  text,
  setText,
}: {
  cluster: ClusterView;
  name: ControlName;
  text: string;
  setText: (text: string) => void;
}): JSX.Element | null {
  const change = (event: { currentTarget: HTMLInputElement }): void =>
    setText(event.currentTarget.value);
  if (name === "pin" || name === "max_workers") {
    const most = name === "pin" ? (cluster.max_workers ?? undefined) : undefined;
    return (
      <Field
        label={name === "pin" ? "Target, workers" : "N, workers"}
        hint={most === undefined ? undefined : `1 to ${most}`}
      >
        <input type="number" min={1} max={most} step={1} value={text} onInput={change} required />
      </Field>
    );
  }
  if (name === "limit") {
    return (
      <Field label="T" hint="such as 90s, 10min or 1h">
        <input type="text" value={text} onInput={change} required maxLength={20} />
      </Field>
    );
  }
  return null;
}

/** What a field begins with: what is there now. */
function first(cluster: ClusterView, name: ControlName): string {
  if (name === "pause") return "on";
  if (name === "pin") return String(cluster.target ?? cluster.present ?? 1);
  if (name === "max_workers") return String(cluster.max_workers ?? 1);
  if (name === "limit" && cluster.limit_s !== null) {
    return cluster.limit_s % 60 === 0 ? `${cluster.limit_s / 60}min` : `${cluster.limit_s}s`;
  }
  return "";
}

/** Why it cannot be sent; what is finer than this the API says. */
function fault(
  cluster: ClusterView,
  name: ControlName,
  text: string,
  span: string,
  until: number | null,
  now: number,
): string | null {
  if (name === "pin" || name === "max_workers") {
    const value = Number(text);
    if (!Number.isInteger(value) || value < 1) return "Give a whole number of workers, at least 1.";
    if (name === "pin" && cluster.max_workers !== null && value > cluster.max_workers) {
      return `At most N = ${cluster.max_workers} workers can be pinned.`;
    }
  }
  if (name === "limit" && text.trim() === "") return "Give a time, such as 10min.";
  if (span === "at" && (until === null || until <= now)) return "The moment must lie ahead.";
  return null;
}

/** The constraint in force, in a few words. */
export function constraintWords(cluster: ClusterView): string {
  return `N = ${cluster.max_workers ?? "–"}, T = ${duration(cluster.limit_s)}`;
}
