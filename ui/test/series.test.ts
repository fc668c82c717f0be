import { describe, expect, it } from "vitest";

import type { Timeline } from "../src/api/types";
import { empty, extent, join, latest, lowerBound, nearestMark, withGaps } from "../src/lib/series";

function line(at: number[], present: (number | null)[], marks: number[] = []): Timeline {
  const none = at.map(() => null);
  return {
    ...empty(),
    at,
    present,
    target: none,
    tasks: none,
    tasks_done: none,
    elapsed_s: none,
    finish_s: none,
    limit_s: none,
    decision_id: at,
    marks: marks.map((id) => ({ at: id, decision_id: id, present: 1, target: 2, reason: "" })),
  };
}

describe("join", () => {
  it("puts the new behind the old, replaces what both know, drops what is too old", () => {
    const joined = join(
      line([10, 20, 30, 40], [1, 1, 1, 1], [10, 30]),
      line([30, 40, 50], [2, 2, 3], [30, 50]),
      20,
    );
    expect(joined.at).toEqual([20, 30, 40, 50]);
    expect(joined.present).toEqual([1, 2, 2, 3]);
    expect(joined.marks.map((mark) => mark.decision_id)).toEqual([30, 50]);
  });

  it("keeps the old where nothing is new", () => {
    expect(join(line([10, 20], [1, 2]), empty(), 0).present).toEqual([1, 2]);
  });

  it("keeps all columns of one length", () => {
    const joined = join(line([10, 20], [1, 2]), line([20, 30], [3, 4]), 15);
    expect(
      new Set(
        [joined.target, joined.tasks, joined.finish_s, joined.decision_id].map(
          (column) => column.length,
        ),
      ),
    ).toEqual(new Set([2]));
  });
});

describe("reading", () => {
  it("finds where a value belongs", () => {
    expect([lowerBound([], 1), lowerBound([1, 3, 3, 5], 3), lowerBound([1, 3], 9)]).toEqual([
      0, 1, 2,
    ]);
  });

  it("finds the nearest mark within reach", () => {
    const { marks } = line([], [], [100, 160]);
    expect(nearestMark(marks, 131, 40)?.decision_id).toBe(160);
    expect(nearestMark(marks, 500, 40)).toBeNull();
  });

  it("skips what is not known", () => {
    expect([latest([1, 2, null]), latest([null])]).toEqual([2, null]);
    expect([extent([null, 3, 1]), extent([null])]).toEqual([[1, 3], null]);
  });

  it("breaks lines where nothing was seen for long", () => {
    expect(withGaps([0, 15, 300, 315], [[1, 1, 2, 2]], 120)).toEqual([
      [0, 15, 75, 300, 315],
      [1, 1, null, 2, 2],
    ]);
  });
});
