// uPlot as a part: made once, given data, sized to its box, drawn in the theme's colours.

import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";

import { clock } from "../lib/format";
import { colour } from "../lib/theme";
import { useShell } from "./context";

export interface Line {
  label: string;
  /** Name of a colour of the style sheet. */
  colour: string;
  stepped?: boolean;
  fill?: boolean;
  dash?: number[];
  width?: number;
}

export interface ChartProps {
  /** What a screen reader says in its place. */
  label: string;
  height: number;
  lines: Line[];
  data: uPlot.AlignedData;
  /** The span shown, epoch seconds. */
  since: number;
  until: number;
  /** Charts of one name share their cursor. */
  group: string;
  /** Unit of the y axis, behind its numbers. */
  format: (value: number) => string;
  whole?: boolean;
  /** Highest value worth seeing; what is above is cut off. */
  cap?: number;
  /** Steps of the y axis. */
  incrs?: number[];
  times?: boolean;
  hover?: (at: number | null) => void;
  click?: (at: number) => void;
  /** Draws more, after the lines. */
  paint?: (plot: uPlot) => void;
}

const AXIS_WIDTH = 58;
const WHOLE = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 50_000, 100_000];
const FONT = '11px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif';

export function Chart(props: ChartProps): JSX.Element {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const newest = useRef(props);
  newest.current = props;
  const { theme } = useShell();
  const { height, group, times = true, whole = false, incrs } = props;
  const lines = JSON.stringify(props.lines);

  useEffect(() => {
    const place = box.current!;
    const grid = { stroke: colour("grid"), width: 1 };
    const axis = { stroke: colour("muted"), font: FONT, grid, ticks: { show: false } };
    const made = new uPlot(
      {
        width: Math.max(120, place.clientWidth),
        height,
        legend: { show: false },
        padding: [8, 8, times ? 0 : 4, 0],
        cursor: {
          sync: { key: group },
          drag: { x: false, y: false },
          points: { size: 7 },
        },
        scales: {
          x: { time: true, range: () => [newest.current.since, newest.current.until] },
          y: { range: (_plot, low, high) => bounds(low, high, whole, newest.current.cap) },
        },
        axes: [
          {
            ...axis,
            show: times,
            size: 28,
            space: 70,
            values: (_plot, splits) =>
              splits.map((at) => clock(at, at, splits.length > 1 && splits[1]! - splits[0]! < 60)),
          },
          {
            ...axis,
            size: AXIS_WIDTH,
            space: 28,
            incrs: incrs ?? (whole ? WHOLE : undefined),
            values: (_plot, splits) => splits.map((value) => newest.current.format(value)),
          },
        ],
        series: [
          {},
          ...(JSON.parse(lines) as Line[]).map((line): uPlot.Series => {
            const stroke = colour(line.colour);
            return {
              label: line.label,
              stroke,
              width: line.width ?? 1.75,
              dash: line.dash,
              fill: line.fill ? colour(`${line.colour}-fill`) : undefined,
              paths: line.stepped ? uPlot.paths.stepped!({ align: 1 }) : undefined,
              points: { show: false },
              // A line that leaves or enters a gap must not show at its edge.
              gaps: (_plot, _series, _from, _to, gaps) =>
                gaps.map(([left, right]) => [left, right + devicePixelRatio] as [number, number]),
            };
          }),
        ],
        hooks: {
          draw: [(drawn) => newest.current.paint?.(drawn)],
          setCursor: [
            (moved) => {
              const left = moved.cursor.left ?? -1;
              newest.current.hover?.(left < 0 ? null : moved.posToVal(left, "x"));
            },
          ],
        },
      },
      newest.current.data,
      place,
    );
    const click = (): void => {
      const left = made.cursor.left ?? -1;
      if (left >= 0) newest.current.click?.(made.posToVal(left, "x"));
    };
    made.over.addEventListener("click", click);
    plot.current = made;
    const sizes = new ResizeObserver(() => {
      const width = Math.max(120, place.clientWidth);
      if (width !== made.width) made.setSize({ width, height });
    });
    sizes.observe(place);
    return () => {
      sizes.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [theme, height, group, times, whole, incrs, lines]);

  useEffect(() => {
    plot.current?.setData(props.data);
  }, [props.data, props.since, props.until]);

  useEffect(() => {
    plot.current?.redraw(false);
  }, [props.paint]);

  return (
    <div
      ref={box}
      class="chart"
      role="img"
      aria-label={props.label}
      style={{ minHeight: `${height}px` }}
    />
  );
}

function bounds(
  low: number | null,
  high: number | null,
  whole: boolean,
  cap = Infinity,
): [number, number] {
  const most = Math.max(Math.min(high ?? 1, cap), whole ? 2 : 1);
  return [Math.min(0, low ?? 0), whole ? most + Math.max(0.5, most * 0.12) : most * 1.12];
}
