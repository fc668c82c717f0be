// A cluster over time: workers and target, tasks, predicted finish; decisions as marks and a list.

import type { JSX } from "preact";
import { useCallback, useMemo, useState } from "preact/hooks";
import type uPlot from "uplot";

import { api } from "../api/client";
import type { Mark, Timeline as TimelineData } from "../api/types";
import { clock, duration, number, signed } from "../lib/format";
import { link } from "../lib/route";
import { extent, join, latest, lowerBound, nearestMark, withGaps } from "../lib/series";
import { colour } from "../lib/theme";
import { useData } from "../lib/use";
import { Data, Empty, Time } from "./basics";
import { Chart, type Line } from "./chart";

const RANGES: [string, number][] = [
  ["15 min", 900],
  ["1 h", 3600],
  ["6 h", 21_600],
  ["24 h", 86_400],
];
const REFRESH_S = 4;
/** What may have changed in what was read before: workers register, scalings end. */
const AGAIN_S = 90;
/** Longer than any usual step: no line is drawn over it. */
const GAP_S = 120;
const MOST_LISTED = 200;
/** A finish beyond so many limits says no more than that it is late. */
const CUT = 1.8;
const SPANS = [10, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14_400, 43_200, 86_400];

const WORKERS: Line[] = [
  { label: "workers", colour: "series-present", stepped: true, fill: true },
  { label: "target", colour: "series-target", stepped: true, dash: [5, 4] },
];
const TASKS: Line[] = [
  { label: "tasks", colour: "series-tasks", stepped: true, dash: [2, 3], width: 1.25 },
  { label: "done", colour: "series-done", stepped: true, fill: true },
];
const FINISH: Line[] = [
  { label: "limit", colour: "series-limit", stepped: true, dash: [6, 4] },
  { label: "predicted finish", colour: "series-finish" },
  { label: "elapsed", colour: "series-elapsed", width: 1.25 },
];

export function Timeline({ cluster }: { cluster: string }): JSX.Element {
  const [range, setRange] = useState(3600);
  const loaded = useData<TimelineData>(
    `${cluster}/${range}`,
    async (before) => {
      const now = Date.now() / 1000;
      const start = now - range;
      const last = before?.at.at(-1);
      const since = last === undefined ? start : Math.max(start, last - AGAIN_S);
      const more = await api.timeline(cluster, since, now);
      return before ? join(before, more, start) : more;
    },
    REFRESH_S,
  );
  return (
    <section class="panel timeline" aria-labelledby="timeline-title">
      <div class="panel-head">
        <h2 id="timeline-title">Timeline</h2>
        <div class="segments" role="group" aria-label="Time shown">
          {RANGES.map(([word, seconds]) => (
            <button
              key={word}
              type="button"
              aria-pressed={range === seconds}
              onClick={() => setRange(seconds)}
            >
              {word}
            </button>
          ))}
        </div>
      </div>
      <Data loaded={loaded} everyS={REFRESH_S} lines={8}>
        {(data) =>
          data.at.length === 0 ? (
            <Empty title={`Nothing was observed within the last ${duration(range)}.`}>
              The DAG kitwai_autoscale observes a cluster at every step: see that it is not paused.
            </Empty>
          ) : (
            <Charts
              cluster={cluster}
              data={data}
              until={loaded.at ?? Date.now() / 1000}
              range={range}
            />
          )
        }
      </Data>
    </section>
  );
}

function Charts({
  cluster,
  data,
  until,
  range,
}: {
  cluster: string;
  data: TimelineData;
  until: number;
  range: number;
}): JSX.Element {
  const [cursor, setCursor] = useState<number | null>(null);
  const [picked, setPicked] = useState<Mark | null>(null);
  const since = until - range;
  const columns = useMemo(() => {
    const of = (...names: (keyof TimelineData)[]): uPlot.AlignedData =>
      withGaps(
        data.at,
        names.map((name) => data[name] as (number | null)[]),
        Math.max(GAP_S, 3 * (data.step_s ?? 0)),
      ) as uPlot.AlignedData;
    return {
      workers: of("present", "target"),
      tasks: of("tasks", "tasks_done"),
      finish: of("limit_s", "finish_s", "elapsed_s"),
    };
  }, [data]);

  const reach = range / 90;
  const hovered = cursor === null ? null : nearestMark(data.marks, cursor, reach);
  const shown = picked ?? hovered;
  const group = `timeline-${cluster}`;
  const paint = useCallback((plot: uPlot) => paintMarks(plot, data.marks, shown), [data, shown]);
  const click = (at: number): void => {
    const mark = nearestMark(data.marks, at, reach);
    if (mark) location.hash = link.decision(mark.decision_id);
  };
  const common = { since, until, group, hover: setCursor, click };
  const tasked = extent(data.tasks) !== null;
  const limit = extent(data.limit_s);
  const limited = limit !== null;

  return (
    <div class="timeline-body">
      <div class="charts">
        <Legend data={data} cursor={cursor} />
        <div class="chart-box">
          <Chart
            {...common}
            label={workersInWords(data)}
            height={190}
            lines={WORKERS}
            data={columns.workers}
            whole
            format={(value) => (Number.isInteger(value) ? String(value) : "")}
            paint={paint}
            times={!tasked && !limited}
          />
          {shown && <Tooltip mark={shown} since={since} until={until} />}
        </div>
        {tasked && (
          <Chart
            {...common}
            label={`Tasks: ${number(latest(data.tasks_done))} of ${number(latest(data.tasks))} done.`}
            height={96}
            lines={TASKS}
            data={columns.tasks}
            whole
            format={(value) => number(value)}
            times={!limited}
          />
        )}
        {limited ? (
          <Chart
            {...common}
            label={`Predicted finish ${duration(latest(data.finish_s))} after the start, limit ${duration(latest(data.limit_s))}.`}
            height={140}
            lines={FINISH}
            data={columns.finish}
            format={duration}
            incrs={SPANS}
            cap={limit[1] * CUT}
          />
        ) : (
          <p class="hint">No application with a limit is known to have run in this time.</p>
        )}
      </div>
      <Decisions marks={data.marks} more={data.more_marks} picked={shown} pick={setPicked} />
    </div>
  );
}

/** The values at the cursor, or the newest. */
function Legend({ data, cursor }: { data: TimelineData; cursor: number | null }): JSX.Element {
  const index =
    cursor === null ? data.at.length - 1 : Math.max(0, lowerBound(data.at, cursor + 0.001) - 1);
  const of = (
    name: "present" | "target" | "tasks" | "tasks_done" | "elapsed_s" | "finish_s" | "limit_s",
  ): number | null => data[name][index] ?? null;
  const entries: [string, string, string][] = [
    ["series-present", "workers", number(of("present"))],
    ["series-target", "target", number(of("target"))],
    [
      "series-done",
      "tasks done",
      of("tasks") === null ? "–" : `${number(of("tasks_done"))} of ${number(of("tasks"))}`,
    ],
  ];
  if (extent(data.limit_s) !== null) {
    entries.push(
      ["series-finish", "predicted finish", duration(of("finish_s"))],
      ["series-limit", "limit", duration(of("limit_s"))],
      ["series-elapsed", "elapsed", duration(of("elapsed_s"))],
    );
  }
  return (
    <dl class="legend" aria-label="Values">
      <div class="legend-time">
        <dt>at</dt>
        <dd>{clock(data.at[index]!)}</dd>
      </div>
      {entries.map(([name, word, value]) => (
        <div key={name}>
          <dt>
            <span class={`swatch ${name}`} aria-hidden="true" />
            {word}
          </dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function Tooltip({
  mark,
  since,
  until,
}: {
  mark: Mark;
  since: number;
  until: number;
}): JSX.Element {
  const share = Math.min(1, Math.max(0, (mark.at - since) / (until - since)));
  const right = share > 0.5;
  return (
    <div
      class={`tooltip ${right ? "right" : "left"}`}
      style={
        right
          ? { right: `${((1 - share) * 100).toFixed(1)}%` }
          : { left: `calc(58px + ${(share * 92).toFixed(1)}%)` }
      }
    >
      <b>
        {mark.present ?? "?"} → {mark.target ?? "?"}
      </b>{" "}
      at {clock(mark.at)}
      <br />
      {mark.reason}
    </div>
  );
}

/** The marks as a list: for the keyboard, for screen readers, and to read in order. */
function Decisions({
  marks,
  more,
  picked,
  pick,
}: {
  marks: Mark[];
  more: boolean;
  picked: Mark | null;
  pick: (mark: Mark | null) => void;
}): JSX.Element {
  const newest = marks.slice(-MOST_LISTED).reverse();
  const move = (event: KeyboardEvent): void => {
    const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    const links = [...(event.currentTarget as HTMLElement).querySelectorAll<HTMLElement>("a")];
    const here = links.indexOf(document.activeElement as HTMLElement);
    if (step === 0 || here < 0) return;
    event.preventDefault();
    links[here + step]?.focus();
  };
  return (
    <div class="marks">
      <h3 id="marks-title">Decisions that changed something</h3>
      {newest.length === 0 ? (
        <p class="hint">None in this time.</p>
      ) : (
        <ol onKeyDown={move} aria-labelledby="marks-title">
          {newest.map((mark) => (
            <li key={mark.decision_id}>
              <a
                href={link.decision(mark.decision_id)}
                class={mark.decision_id === picked?.decision_id ? "picked" : ""}
                onMouseEnter={() => pick(mark)}
                onMouseLeave={() => pick(null)}
                onFocus={() => pick(mark)}
                onBlur={() => pick(null)}
              >
                <span class="mark-head">
                  <Time at={mark.at} />
                  <b>
                    {mark.present ?? "?"} → {mark.target ?? "?"}
                  </b>
                  {mark.present !== null && mark.target !== null && (
                    <span class="hint">{signed(mark.target - mark.present)}</span>
                  )}
                </span>
                <span class="mark-reason">{mark.reason}</span>
              </a>
            </li>
          ))}
        </ol>
      )}
      {(more || marks.length > MOST_LISTED) && (
        <p class="hint">{`The newest ${newest.length}; the history has all.`}</p>
      )}
    </div>
  );
}

function paintMarks(plot: uPlot, marks: Mark[], shown: Mark | null): void {
  const { ctx } = plot;
  const ratio = devicePixelRatio;
  const top = plot.bbox.top + 7 * ratio;
  const [low, high] = [plot.scales.x!.min ?? 0, plot.scales.x!.max ?? 0];
  ctx.save();
  for (const mark of marks) {
    if (mark.at < low || mark.at > high) continue;
    const strong = mark.decision_id === shown?.decision_id;
    const x = plot.valToPos(mark.at, "x", true);
    const size = (strong ? 6 : 3.5) * ratio;
    ctx.fillStyle = colour(
      mark.target !== null && mark.present !== null && mark.target < mark.present
        ? "mark-in"
        : "mark-out",
    );
    ctx.beginPath();
    ctx.moveTo(x, top - size);
    ctx.lineTo(x + size, top);
    ctx.lineTo(x, top + size);
    ctx.lineTo(x - size, top);
    ctx.fill();
    if (strong) {
      ctx.fillRect(x - ratio / 2, top, ratio, plot.bbox.height - 7 * ratio);
    }
  }
  ctx.restore();
}

function workersInWords(data: TimelineData): string {
  const span = extent(data.present);
  const range = span
    ? `between ${span[0]} and ${span[1]}, newest ${number(latest(data.present))}`
    : "not known";
  return `Workers over time: ${range}; target ${number(latest(data.target))}; ${data.marks.length} decisions marked, listed beside.`;
}
