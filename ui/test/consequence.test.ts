import { describe, expect, it } from "vitest";

import type { ApprovalView } from "../src/api/types";
import { approvalConsequence, consequence, standing } from "../src/lib/consequence";
import { themeOf } from "../src/lib/theme";

const now = 1_795_563_600;
const auto = { cluster: "etl", present: 4, mode: "auto" };

describe("consequence", () => {
  it.each([
    ["mode", "auto", null, /adds and removes workers by itself.*until it is changed again/],
    ["mode", null, null, /what the connection of etl says counts again/],
    ["pause", "on", now + 3600, /No worker is added or removed until .* \(for 1 h\)/],
    [
      "pin",
      6,
      now + 900,
      /from 4 to 6 workers: 2 workers more are started\..*policy's target does not count, not even when a limit is in danger/,
    ],
    ["pin", 3, now + 900, /from 4 to 3 workers: 1 worker is drained and removed/],
    ["pin", 4, now + 900, /stays at 4 workers/],
    [
      "max_workers",
      2,
      null,
      /2 workers above it are drained and removed\. No target is above 2 workers/,
    ],
    ["max_workers", 9, null, /^No target is above 9 workers/],
    ["limit", "10min", null, /within 10min of their start.*own limit stays/],
  ] as const)("of %s = %s", (name, value, until, text) =>
    expect(consequence(auto, name, value, until, now)).toMatch(text),
  );

  it("says that suggest touches nothing; a pin is a person's word, so approve does not ask", () => {
    expect(consequence({ ...auto, mode: "suggest" }, "pin", 6, now + 60, now)).toMatch(
      /nothing is touched/,
    );
    expect(consequence({ ...auto, mode: "approve" }, "pin", 6, now + 60, now)).toMatch(
      /2 workers more are started\./,
    );
  });

  it("of an approval", () => {
    const approval = { present: 2, target: 6 } as ApprovalView;
    expect(approvalConsequence(approval, "approved")).toMatch(/4 workers more are started: 2 → 6/);
    expect(approvalConsequence({ ...approval, target: 1 }, "approved")).toMatch(
      /1 worker is drained and removed: 2 → 1/,
    );
    expect(approvalConsequence(approval, "rejected")).toMatch(/stays at 2 workers/);
  });
});

describe("what can be lifted", () => {
  const set = (name: string, value: number | null, until: number | null, in_force: boolean) => ({
    name,
    value,
    at: now - 60,
    by: "ada",
    until,
    in_force,
  });
  const controls = [
    set("max_workers", 4, null, false),
    set("pin", 3, now - 1, false),
    set("limit", null, null, false),
  ];

  it("is what is set and not over, also where it cannot be used", () => {
    expect(standing({ controls }, "max_workers", now)?.value).toBe(4);
    expect(standing({ controls }, "pin", now)).toBeNull();
    expect(standing({ controls }, "pin", now - 2)?.value).toBe(3);
    expect(standing({ controls }, "limit", now)).toBeNull();
    expect(standing({ controls }, "mode", now)).toBeNull();
  });
});

describe("theme", () => {
  const root = (name: string): { classList: { contains(one: string): boolean } } => ({
    classList: { contains: (one) => one === name },
  });

  it("is Airflow's where it says one", () => {
    expect([
      themeOf(root("dark")),
      themeOf(root("light")),
      themeOf(root("")),
      themeOf(null),
    ]).toEqual(["dark", "light", null, null]);
  });
});
