// Decisions of a cluster, newest first, with filters that stand in the address, and as CSV.

import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";

import { api, type DecisionFilter } from "../api/client";
import type { DecisionSummary, Page } from "../api/types";
import { decider, fromLocalInput, number, signed, toLocalInput } from "../lib/format";
import { link } from "../lib/route";
import { useData } from "../lib/use";
import { Badge, Data, Empty, Field, Table, Time } from "../parts/basics";
import { Pages } from "../parts/pages";

const PAGE = 50;
const SEARCH_PAUSE_MS = 300;

function filterOf(query: URLSearchParams): DecisionFilter {
  const moment = (name: string): number | null =>
    query.get(name) ? Number(query.get(name)) : null;
  return {
    since: moment("since"),
    until: moment("until"),
    changed: query.get("changed") === "true" ? true : null,
    mode: query.get("mode"),
    search: query.get("search"),
  };
}

export function History({
  cluster,
  query,
}: {
  cluster: string;
  query: URLSearchParams;
}): JSX.Element {
  const filter = filterOf(query);
  const key = `history/${cluster}?${query.toString()}`;
  const loaded = useData<Page<DecisionSummary>>(
    key,
    () => api.decisions(cluster, filter, null, PAGE),
    0,
  );
  return (
    <section class="panel" aria-labelledby="history-title">
      <div class="panel-head">
        <h2 id="history-title">Decisions</h2>
        <a
          class="button"
          href={api.decisionsCsv(cluster, filter)}
          download={`${cluster}-decisions.csv`}
        >
          Download CSV
        </a>
      </div>
      <Filters cluster={cluster} query={query} />
      <Data loaded={loaded} lines={8}>
        {(first) => (
          <Pages first={first} more={(before) => api.decisions(cluster, filter, before, PAGE)}>
            {(rows) => <Rows rows={rows} />}
          </Pages>
        )}
      </Data>
    </section>
  );
}

function Filters({ cluster, query }: { cluster: string; query: URLSearchParams }): JSX.Element {
  const [search, setSearch] = useState(query.get("search") ?? "");
  const set = (name: string, value: string): void => {
    const next = new URLSearchParams(query);
    if (value) next.set(name, value);
    else next.delete(name);
    const text = next.toString();
    location.replace(`${link.cluster(cluster, "history")}${text ? `?${text}` : ""}`);
  };
  useEffect(() => {
    if (search === (query.get("search") ?? "")) return;
    const timer = setTimeout(() => set("search", search), SEARCH_PAUSE_MS);
    return () => clearTimeout(timer);
  }, [search]);
  const moment = (name: string, label: string): JSX.Element => (
    <Field label={label}>
      <input
        type="datetime-local"
        value={query.get(name) ? toLocalInput(Number(query.get(name))) : ""}
        onChange={(event) => set(name, String(fromLocalInput(event.currentTarget.value) ?? ""))}
      />
    </Field>
  );
  return (
    <form
      class="filters"
      role="search"
      aria-label="Filter decisions"
      onSubmit={(event) => event.preventDefault()}
    >
      <Field label="Search in reasons">
        <input
          type="search"
          value={search}
          maxLength={100}
          onInput={(event) => setSearch(event.currentTarget.value)}
        />
      </Field>
      <Field label="Mode">
        <select
          value={query.get("mode") ?? ""}
          onChange={(event) => set("mode", event.currentTarget.value)}
        >
          <option value="">any</option>
          <option value="suggest">suggest</option>
          <option value="approve">approve</option>
          <option value="auto">auto</option>
        </select>
      </Field>
      {moment("since", "From")}
      {moment("until", "To")}
      <label class="check">
        <input
          type="checkbox"
          checked={query.get("changed") === "true"}
          onChange={(event) => set("changed", event.currentTarget.checked ? "true" : "")}
        />
        Only changes
      </label>
    </form>
  );
}

function Rows({ rows }: { rows: DecisionSummary[] }): JSX.Element {
  if (rows.length === 0)
    return <Empty title="No decision fits.">Widen the filter, or wait for the next step.</Empty>;
  return (
    <Table
      caption="Decisions, newest first"
      class="stack"
      head={["When", "Workers", "Reason", "Mode", "Decided by", "Guardrails", "Done"]}
    >
      {rows.map((row) => (
        <tr key={row.id}>
          <th scope="row" data-label="When">
            <a href={link.decision(row.id)}>
              <Time at={row.at} />
            </a>
          </th>
          <td data-label="Workers" class="nowrap">
            <b>
              {number(row.present)} → {number(row.target)}
            </b>
            {row.present !== null && row.target !== null && row.present !== row.target && (
              <span class="hint">{` ${signed(row.target - row.present)}`}</span>
            )}
          </td>
          <td data-label="Reason" class="words">
            {row.fallback && (
              <Badge tone="bad" title={row.fallback}>
                fallback
              </Badge>
            )}{" "}
            {row.reason}
          </td>
          <td data-label="Mode">{row.mode}</td>
          <td data-label="Decided by">{decider(row.policy)}</td>
          <td data-label="Guardrails" class={row.guardrails.length ? "" : "nothing"}>
            {row.guardrails.join(", ") || "none"}
          </td>
          <td data-label="Done" class={row.started === null ? "nothing" : ""}>
            {done(row)}
          </td>
        </tr>
      ))}
    </Table>
  );
}

function done(row: DecisionSummary): string {
  if (row.started === null && row.removed === null) return "nothing";
  const parts = [
    row.started ? `${row.started} started` : "",
    row.removed ? `${row.removed} removed` : "",
  ].filter(Boolean);
  return parts.join(", ") || "nothing to do";
}
