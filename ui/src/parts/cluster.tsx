// One cluster now: workers, reason, applications. Part of the overview and of the cluster's page.

import type { JSX } from "preact";

import type { ApplicationView, ClusterView } from "../api/types";
import {
  count,
  decider,
  duration,
  number,
  percent,
  risk,
  RISK_WORD,
  type Risk,
} from "../lib/format";
import { link } from "../lib/route";
import { useNow } from "../lib/use";
import { Ago, Badge, Notice, Table, type Tone } from "./basics";
import { constraintWords, ControlBadges } from "./controls";

const OLD_S = 60;

export const RISK_TONE: Record<Risk, Tone> = {
  unknown: "neutral",
  ok: "good",
  tight: "warn",
  late: "bad",
};

/** A square for each of the N workers: serving, starting, draining, or none; a tick at the target. */
export function Slots({ cluster }: { cluster: ClusterView }): JSX.Element | null {
  const { serving, starting, draining, target } = cluster;
  if (serving === null) return null;
  const used = serving + (starting ?? 0) + (draining ?? 0);
  const all = Math.min(64, Math.max(cluster.max_workers ?? 0, used, target ?? 0));
  const kind = (index: number): string =>
    index < serving
      ? "serving"
      : index < serving + (starting ?? 0)
        ? "starting"
        : index < used
          ? "draining"
          : "free";
  const words = `${serving} serving, ${number(starting)} starting, ${number(draining)} draining, target ${number(target)}, at most ${number(cluster.max_workers)}`;
  return (
    <div class="slots" role="img" aria-label={words} title={words}>
      {Array.from({ length: all }, (_, index) => (
        <span key={index} class={`slot ${kind(index)}${index + 1 === target ? " target" : ""}`} />
      ))}
    </div>
  );
}

export function Workers({ cluster }: { cluster: ClusterView }): JSX.Element {
  const moves =
    cluster.target !== null && cluster.present !== null && cluster.target !== cluster.present;
  return (
    <div class="workers">
      <p class="figure">
        <span class="big">{number(cluster.serving ?? cluster.present)}</span>
        <span class="unit">{` of ${number(cluster.max_workers)} workers`}</span>
      </p>
      <Slots cluster={cluster} />
      <p class="counts">
        <span class={moves ? "moves" : ""}>
          {"target "}
          <b>{number(cluster.target)}</b>
        </span>
        {Boolean(cluster.starting) && (
          <span>
            <b>{cluster.starting}</b> starting
          </span>
        )}
        {Boolean(cluster.draining) && (
          <span>
            <b>{cluster.draining}</b> draining
          </span>
        )}
      </p>
    </div>
  );
}

/** What is wrong or unusual with the cluster, loudest first. */
export function Troubles({ cluster }: { cluster: ClusterView }): JSX.Element {
  const now = useNow();
  const missing = Object.entries(cluster.missing);
  const age = cluster.observed_at === null ? null : now - cluster.observed_at;
  return (
    <>
      {cluster.error && (
        <Notice tone="bad" title="This cluster's connection cannot be used.">
          {cluster.error}
        </Notice>
      )}
      {cluster.ignored.length > 0 && (
        <Notice tone="warn" title={`${count(cluster.ignored.length, "setting")} left out.`}>
          {cluster.ignored.join(" ")}
        </Notice>
      )}
      {cluster.fallback && (
        <Notice tone="bad" title="The fallback decides, not the champion.">
          {cluster.fallback}
        </Notice>
      )}
      {missing.length > 0 && (
        <Notice tone="warn" title={`${count(missing.length, "source")} gave no answer.`}>
          {missing.map(([name, why]) => `${name}: ${why}`).join(" · ")}
        </Notice>
      )}
      {age !== null && age > OLD_S && (
        <Notice tone="warn" title={`Last observed ${duration(age)} ago.`}>
          Is the DAG kitwai_autoscale running?
        </Notice>
      )}
    </>
  );
}

export function Badges({ cluster }: { cluster: ClusterView }): JSX.Element {
  return (
    <span class="badges">
      {cluster.mode && (
        <Badge tone={cluster.mode === "auto" ? "good" : "info"}>{cluster.mode}</Badge>
      )}
      <ControlBadges cluster={cluster} />
    </span>
  );
}

/** Changes of the last hour out of those that the budget allows. */
export function FlapGauge({ cluster }: { cluster: ClusterView }): JSX.Element | null {
  const flaps = cluster.flaps;
  if (flaps === null || flaps.used === null) return null;
  const share = flaps.budget === null ? null : flaps.used / flaps.budget;
  return (
    <span class="flaps" title="Workers started or told to leave within the last hour">
      {share !== null && (
        <meter
          aria-label="Changes within the last hour, of the budget"
          min={0}
          max={1}
          high={0.8}
          low={0.79}
          optimum={0}
          value={Math.min(1, share)}
        />
      )}
      {flaps.budget === null
        ? `${count(flaps.used, "change")} within 1 h`
        : `${flaps.used} of ${count(flaps.budget, "change")} within 1 h`}
    </span>
  );
}

export function Footer({ cluster }: { cluster: ClusterView }): JSX.Element {
  return (
    <p class="foot">
      <span>{constraintWords(cluster)}</span>
      <FlapGauge cluster={cluster} />
      {cluster.policy && <span>{`decided by ${decider(cluster.policy)}`}</span>}
      {cluster.checkpoint && <a href={link.model(cluster.checkpoint)}>{cluster.checkpoint}</a>}
      {cluster.decided_at !== null && cluster.decision_id !== null && (
        <a href={link.decision(cluster.decision_id)}>
          decided <Ago at={cluster.decided_at} />
        </a>
      )}
    </p>
  );
}

/** Elapsed time and predicted finish on the way to the limit. */
function LimitBar({ app, limit }: { app: ApplicationView; limit: number }): JSX.Element {
  const scale = Math.max(limit, app.finish_s ?? 0, app.elapsed_s) * 1.04 || 1;
  const at = (seconds: number): string => `${((seconds / scale) * 100).toFixed(2)}%`;
  const level = risk(app.finish_s, limit, app.miss_probability);
  return (
    <span class={`limit-bar ${level}`} aria-hidden="true">
      {app.finish_s !== null && <span class="ahead" style={{ width: at(app.finish_s) }} />}
      <span class="gone" style={{ width: at(app.elapsed_s) }} />
      <span class="limit" style={{ left: at(limit) }} />
    </span>
  );
}

export function Applications({ cluster }: { cluster: ClusterView }): JSX.Element {
  if (cluster.applications === null) {
    return (
      <p class="hint">
        {cluster.observed_at === null
          ? "Nothing is known of its applications yet."
          : "Not known: the newest decision could not judge its applications."}
      </p>
    );
  }
  if (cluster.applications.length === 0) {
    return <p class="hint">No application is running.</p>;
  }
  return (
    <Table
      caption={`Applications of ${cluster.cluster}`}
      class="stack"
      head={["Application", "Time left", "Predicted finish", "Risk", "Tasks", "Target"]}
    >
      {cluster.applications.map((app) => (
        <tr key={app.id}>
          <th scope="row" data-label="Application">
            <span class="name">{app.name}</span>
            <span class="hint nowrap">{app.id}</span>
          </th>
          <Limited app={app} />
          <td data-label="Tasks" class="fit">
            {number(app.tasks_done)} / {number(app.tasks)}
          </td>
          <td data-label="Target" class="fit" title={app.reason}>
            {count(app.target, "worker")}
          </td>
        </tr>
      ))}
    </Table>
  );
}

/** Time left, predicted finish and risk; one cell where there is no limit to be in time for. */
function Limited({ app }: { app: ApplicationView }): JSX.Element {
  if (app.limit_s === null) {
    return (
      <td data-label="Time left" colSpan={3} class="hint">
        {app.limit_source === "unknown" ? "Its limit is not known" : "It has no limit"}
        {`; it has run for ${duration(app.elapsed_s)}.`}
      </td>
    );
  }
  const level = risk(app.finish_s, app.limit_s, app.miss_probability);
  return (
    <>
      <td data-label="Time left" class="fit">
        {duration(app.left_s)}{" "}
        <span class="hint">{`of ${duration(app.limit_s)}${app.limit_source === "application" ? ", its own" : ""}`}</span>
      </td>
      <td data-label="Predicted finish" class="wide">
        {app.finish_s === null ? "not known yet" : `after ${duration(app.finish_s)}`}
        <LimitBar app={app} limit={app.limit_s} />
      </td>
      <td data-label="Risk">
        <Badge tone={RISK_TONE[level]} title="Chance that the limit is missed">
          {RISK_WORD[level]}
          {app.miss_probability !== null && ` · ${percent(app.miss_probability)}`}
        </Badge>
      </td>
    </>
  );
}
