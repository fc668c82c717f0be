// One decision with all that it was made from.

import type { JSX } from "preact";

import { api } from "../api/client";
import type { ApplicationDecision, DecisionDetail, GuardrailNote, Scaling } from "../api/types";
import { count, decider, duration, number, percent } from "../lib/format";
import { link } from "../lib/route";
import { useData } from "../lib/use";
import { Badge, Data, Notice, Time } from "../parts/basics";
import { recommended, WhatIfChart, WhatIfTable } from "../parts/whatif";

export function Decision({ id }: { id: number }): JSX.Element {
  const loaded = useData(`decision/${id}`, () => api.decision(id), 0);
  return (
    <>
      <div class="title">
        <p class="crumbs">
          <a href={link.clusters()}>Clusters</a>
          {loaded.data && (
            <a href={link.cluster(loaded.data.decision.cluster)}>{loaded.data.decision.cluster}</a>
          )}
        </p>
        <h1 tabIndex={-1}>{`Decision ${id}`}</h1>
      </div>
      <Data loaded={loaded} lines={10}>
        {(detail) => <Detail detail={detail} />}
      </Data>
    </>
  );
}

function Detail({ detail }: { detail: DecisionDetail }): JSX.Element {
  const { decision } = detail;
  return (
    <>
      {decision.fallback && (
        <Notice tone="bad" title="The fallback decided, not the champion.">
          {decision.fallback}
        </Notice>
      )}
      {decision.held && (
        <Notice tone="warn" title="The present count was held.">
          Too little was known to say which count is wanted.
        </Notice>
      )}
      <section class="panel" aria-labelledby="what-title">
        <div class="panel-head">
          <h2 id="what-title">What was decided</h2>
          <Badge tone={decision.mode === "auto" ? "good" : "info"}>{decision.mode}</Badge>
        </div>
        <p class="figure">
          <span class="big">
            {number(decision.present)} → {number(decision.target)}
          </span>
          <span class="unit"> workers</span>
        </p>
        <p class="reason">{decision.reason}</p>
        <dl class="facts">
          <Fact word="When">
            <Time at={decision.at} />
          </Fact>
          <Fact word="Constraint">
            {`N = ${decision.constraint.max_workers}, T = ${duration(decision.constraint.limit_s)}, missed at most ${percent(decision.constraint.miss)}`}
          </Fact>
          <Fact word="Decided by">
            {decider(decision.policy)}
            {decision.checkpoint && (
              <>
                {", "}
                <a href={link.model(decision.checkpoint)}>{decision.checkpoint}</a>
              </>
            )}
          </Fact>
          <Fact word="Made from">
            <a
              href={api.observationAddress(detail.observation_id)}
            >{`Observation ${detail.observation_id} (JSON)`}</a>
          </Fact>
        </dl>
        <Guardrails notes={decision.guardrails} of="the cluster" />
      </section>
      <CarriedOut scalings={detail.scalings} />
      {decision.applications.map((app) => (
        <Application key={app.id} app={app} detail={detail} />
      ))}
    </>
  );
}

function Fact({
  word,
  children,
}: {
  word: string;
  children: JSX.Element | string | unknown;
}): JSX.Element {
  return (
    <div>
      <dt>{word}</dt>
      <dd>{children as JSX.Element}</dd>
    </div>
  );
}

function Guardrails({ notes, of }: { notes: GuardrailNote[]; of: string }): JSX.Element {
  if (notes.length === 0) return <p class="hint">{`No guardrail changed the target of ${of}.`}</p>;
  return (
    <ol class="guardrails" aria-label={`Guardrails that changed the target of ${of}`}>
      {notes.map((note, index) => (
        <li key={index}>
          <Badge tone="warn">{note.name}</Badge>{" "}
          <b>
            {note.before} → {note.after}
          </b>{" "}
          {note.reason}
        </li>
      ))}
    </ol>
  );
}

function CarriedOut({ scalings }: { scalings: Scaling[] }): JSX.Element {
  return (
    <section class="panel" aria-labelledby="done-title">
      <div class="panel-head">
        <h2 id="done-title">What was carried out</h2>
      </div>
      {scalings.length === 0 ? (
        <p class="hint">Nothing: no worker was touched because of this decision.</p>
      ) : (
        <ul class="plain">
          {scalings.map((scaling, index) => (
            <li key={index}>{carriedOut(scaling)}</li>
          ))}
        </ul>
      )}
    </section>
  );
}

function act(word: string, what: string[] | number | undefined): string {
  const many = Array.isArray(what) ? what.length : (what ?? 0);
  if (many === 0) return "";
  return `${count(many, "worker")} ${word}${Array.isArray(what) ? ` (${what.join(", ")})` : ""}`;
}

function nothingDone(scaling: Scaling): string {
  if (scaling.ended_at === null) return "Not over yet";
  return scaling.settled ? "Nothing was to be done" : "Nothing more could be done yet";
}

function carriedOut(scaling: Scaling): JSX.Element {
  const parts: [string, string[] | number | undefined][] = [
    ["started", scaling.started],
    ["told to leave", scaling.drained],
    ["ended", scaling.stopped],
  ];
  const acts = parts.map(([word, what]) => act(word, what)).filter(Boolean);
  const notes = [...(scaling.failed ?? []), ...(scaling.waiting ?? [])];
  return (
    <>
      <Badge tone={scaling.failed?.length ? "bad" : scaling.settled ? "good" : "warn"}>
        {scaling.failed?.length ? "failed" : scaling.settled ? "settled" : "under way"}
      </Badge>{" "}
      {acts.join(", ") || nothingDone(scaling)}
      {scaling.seconds !== undefined && `, within ${duration(scaling.seconds)}`}.
      {notes.length > 0 && (
        <details open={Boolean(scaling.failed?.length)}>
          <summary>{count(notes.length, "remark")}</summary>
          <ul>
            {notes.map((note, index) => (
              <li key={index}>{note}</li>
            ))}
          </ul>
        </details>
      )}
    </>
  );
}

function Application({
  app,
  detail,
}: {
  app: ApplicationDecision;
  detail: DecisionDetail;
}): JSX.Element {
  const rows = detail.what_if[app.id] ?? [];
  const wanted = recommended(app);
  return (
    <section class="panel" aria-label={`Application ${app.name}`}>
      <div class="panel-head">
        <h2>{app.name}</h2>
        <span class="hint">{app.id}</span>
      </div>
      <p class="reason">{app.reason}</p>
      <dl class="facts">
        <Fact word="Recommended">{`${count(wanted, "worker")}${app.policy ? ` by ${decider(app.policy)}` : ""}`}</Fact>
        <Fact word="Target">{count(app.target, "worker")}</Fact>
        <Fact word="Elapsed">{duration(app.elapsed_s)}</Fact>
        <Fact word="Limit">{limit(app)}</Fact>
      </dl>
      <Guardrails notes={app.guardrails} of="this application" />
      {!rows.some((row) => row.finish_s !== null || row.q_value !== null) ? (
        <p class="hint">
          {app.limit_source === "none"
            ? "It has no end: its backlog decides, and no finish can be compared."
            : "Nothing is known of its work left: no target can be compared."}
        </p>
      ) : (
        <>
          <h3>What if</h3>
          <WhatIfChart app={app} rows={rows} />
          <WhatIfTable app={app} rows={rows} />
        </>
      )}
    </section>
  );
}

function limit({ constraint, limit_source }: ApplicationDecision): string {
  if (limit_source === "none") return "none: it has no end";
  return `${duration(constraint.limit_s)} (${limit_source === "application" ? "its own" : "the cluster's"})`;
}
