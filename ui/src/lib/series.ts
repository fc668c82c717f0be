// The timeline's columns: joining what is new to what is there, and reading them.

import type { Mark, Timeline } from "../api/types";

const COLUMNS = [
  "present",
  "target",
  "tasks",
  "tasks_done",
  "elapsed_s",
  "finish_s",
  "limit_s",
] as const;

export function empty(): Timeline {
  return {
    at: [],
    present: [],
    target: [],
    tasks: [],
    tasks_done: [],
    elapsed_s: [],
    finish_s: [],
    limit_s: [],
    decision_id: [],
    marks: [],
    step_s: null,
    more_marks: false,
  };
}

/** `old` with `more` behind it, from `since` on; where both know a moment, `more` is right. */
export function join(old: Timeline, more: Timeline, since: number): Timeline {
  const first = more.at[0] ?? Infinity;
  const from = lowerBound(old.at, since);
  const to = lowerBound(old.at, first);
  const result = empty();
  result.at = [...old.at.slice(from, to), ...more.at];
  for (const name of COLUMNS) {
    result[name] = [...old[name].slice(from, to), ...more[name]];
  }
  result.decision_id = [...old.decision_id.slice(from, to), ...more.decision_id];
  const known = new Set(more.marks.map((mark) => mark.decision_id));
  result.marks = [
    ...old.marks.filter((mark) => mark.at >= since && !known.has(mark.decision_id)),
    ...more.marks,
  ].sort((a, b) => a.at - b.at);
  result.step_s = more.step_s ?? old.step_s;
  result.more_marks = old.more_marks || more.more_marks;
  return result;
}

/** Index of the first of ascending `values` that is not below `value`. */
export function lowerBound(values: number[], value: number): number {
  let low = 0;
  let high = values.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (values[middle]! < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The mark nearest to the moment `at` within `reach` seconds, null if there is none. */
export function nearestMark(marks: Mark[], at: number, reach: number): Mark | null {
  let best: Mark | null = null;
  for (const mark of marks) {
    const distance = Math.abs(mark.at - at);
    if (distance <= reach && (best === null || distance < Math.abs(best.at - at))) best = mark;
  }
  return best;
}

/** The last value that is known. */
export function latest(column: (number | null)[]): number | null {
  for (let index = column.length - 1; index >= 0; index--) {
    if (column[index] != null) return column[index]!;
  }
  return null;
}

/** Least and greatest known value; null where nothing is known. */
export function extent(column: (number | null)[]): [number, number] | null {
  let low = Infinity;
  let high = -Infinity;
  for (const value of column) {
    if (value === null) continue;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return low <= high ? [low, high] : null;
}

/**
 * The columns with a row of gaps wherever more than `gap` seconds lie between two moments, so that
 * no line is drawn over a time in which nothing was seen.
 */
export function withGaps(
  at: number[],
  columns: (number | null)[][],
  gap: number,
): [number[], ...(number | null)[][]] {
  const times: number[] = [];
  const result: (number | null)[][] = columns.map(() => []);
  at.forEach((moment, index) => {
    const before = at[index - 1];
    if (before !== undefined && moment - before > gap) {
      times.push(before + gap / 2);
      for (const column of result) column.push(null);
    }
    times.push(moment);
    result.forEach((column, which) => column.push(columns[which]![index] ?? null));
  });
  return [times, ...result];
}
