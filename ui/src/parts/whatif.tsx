// Every target of one application: a small chart and the table behind it.

import type { JSX } from "preact";

import type { ApplicationDecision, WhatIf } from "../api/types";
import { count, duration, number, percent, risk, RISK_WORD, short } from "../lib/format";
import { Badge, Table } from "./basics";
import { RISK_TONE } from "./cluster";

const WIDTH = 520;
const HEIGHT = 150;
const LEFT = 8;
/** Room for the limit's word beside the bars: over them it would hide their values. */
const BESIDE = 68;
const TOP = 22;
const BASE = HEIGHT - 22;

/** What was recommended before any guardrail. */
export function recommended(app: ApplicationDecision): number {
  return app.guardrails[0]?.before ?? app.target;
}

export function WhatIfChart({
  app,
  rows,
}: {
  app: ApplicationDecision;
  rows: WhatIf[];
}): JSX.Element | null {
  const known = rows.filter((row) => row.finish_s !== null);
  if (known.length === 0) return null;
  return (
    <div class="what-if">
      <Bars
        title="Predicted finish after the start, min:s"
        rows={rows}
        app={app}
        of={(row) => row.finish_s}
        word={short}
        limit={app.constraint.limit_s}
      />
      <Bars
        title="Cost, worker-seconds"
        rows={rows}
        app={app}
        of={(row) => row.cost}
        word={(value) => number(value)}
        limit={null}
      />
    </div>
  );
}

interface BarsProps {
  title: string;
  rows: WhatIf[];
  app: ApplicationDecision;
  of: (row: WhatIf) => number | null;
  word: (value: number) => string;
  limit: number | null;
}

function Bars({ title, rows, app, of, word, limit }: BarsProps): JSX.Element {
  const values = rows.map(of).filter((value): value is number => value !== null);
  // A memory cliff must not flatten all the rest: bars end above what matters.
  const most =
    Math.max(
      1,
      Math.min(Math.max(...values), Math.max((limit ?? 0) * 1.6, median(values) * 3)),
      limit ?? 0,
    ) * 1.08;
  const end = WIDTH - (limit === null ? LEFT : BESIDE);
  const slot = (end - LEFT) / rows.length;
  const height = (value: number): number => Math.min(1, value / most) * (BASE - TOP);
  const line = limit === null ? 0 : BASE - height(limit);
  const words = rows
    .map((row) => `${row.target}: ${of(row) === null ? "not known" : word(of(row)!)}`)
    .join("; ");
  return (
    <figure>
      <figcaption>{title}</figcaption>
      <svg
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        role="img"
        aria-label={`${title} by target. ${words}`}
      >
        {rows.map((row, index) => {
          const value = of(row);
          if (value === null) return null;
          const high = height(value);
          const x = LEFT + index * slot + slot * 0.16;
          const state = [
            row.target === app.target ? "chosen" : row.allowed ? "" : "barred",
            limit !== null && value > limit ? "over" : "",
          ].join(" ");
          return (
            <g key={row.target} class={`bar ${state}`}>
              <title>{`${count(row.target, "worker")}: ${word(value)}${row.allowed ? "" : " (not allowed)"}`}</title>
              <rect x={x} y={BASE - high} width={slot * 0.68} height={high} rx="2" />
            </g>
          );
        })}
        <line class="base" x1={LEFT} x2={end} y1={BASE} y2={BASE} />
        {limit !== null && (
          <g class="limit">
            <line x1={LEFT} x2={end} y1={line} y2={line} />
            <text x={end + 5} y={line + 4}>{`limit ${word(limit)}`}</text>
          </g>
        )}
        {rows.map((row, index) => {
          const value = of(row);
          const middle = LEFT + (index + 0.5) * slot;
          // Behind the limit's line they could not be read.
          return (
            <g key={row.target} class={row.target === app.target ? "bar chosen" : "bar"}>
              {value !== null && (
                <text x={middle} y={BASE - height(value) - 5} class="value">
                  {word(value)}
                </text>
              )}
              <text x={middle} y={HEIGHT - 6}>
                {row.target}
              </text>
            </g>
          );
        })}
      </svg>
    </figure>
  );
}

function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? 0;
}

export function WhatIfTable({
  app,
  rows,
}: {
  app: ApplicationDecision;
  rows: WhatIf[];
}): JSX.Element {
  const wanted = recommended(app);
  return (
    <Table
      caption={`Every target of ${app.name}`}
      class="numbers"
      head={[
        "Target",
        "Predicted finish",
        "Cost, worker-s",
        "Miss chance",
        "Risk",
        "Q-value",
        "Allowed",
        "",
      ]}
    >
      {rows.map((row) => {
        const level = risk(row.finish_s, app.constraint.limit_s, row.miss_probability);
        return (
          <tr
            key={row.target}
            class={row.target === app.target ? "chosen" : row.allowed ? "" : "barred"}
          >
            <th scope="row">{row.target}</th>
            <td>{duration(row.finish_s)}</td>
            <td>{number(row.cost)}</td>
            <td>{percent(row.miss_probability)}</td>
            <td>
              <Badge tone={RISK_TONE[level]}>{RISK_WORD[level]}</Badge>
            </td>
            <td>{number(row.q_value, 3)}</td>
            <td>{row.allowed ? "yes" : "no"}</td>
            <td class="words">
              {row.target === app.target && <Badge tone="info">target</Badge>}
              {row.target === wanted && <Badge>recommended</Badge>}
            </td>
          </tr>
        );
      })}
    </Table>
  );
}
