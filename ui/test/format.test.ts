import { describe, expect, it } from "vitest";

import {
  ago,
  clock,
  count,
  decider,
  duration,
  fromLocalInput,
  iso,
  number,
  percent,
  risk,
  short,
  signed,
  toLocalInput,
  UNKNOWN,
  utc,
} from "../src/lib/format";

describe("duration", () => {
  it.each([
    [0, "0 s"],
    [59.4, "59 s"],
    [60, "1 min"],
    [93, "1 min 33 s"],
    [3600, "1 h"],
    [3661, "1 h 1 min"],
    [90_000, "1 d 1 h"],
    [-93, "−1 min 33 s"],
    [null, UNKNOWN],
    [undefined, UNKNOWN],
    [Infinity, UNKNOWN],
  ])("%s is %s", (seconds, text) => expect(duration(seconds)).toBe(text));
});

describe("numbers", () => {
  it.each([
    [0, "0 %"],
    [0.0004, "< 0.1 %"],
    [0.004, "0.4 %"],
    [0.05, "5 %"],
    [0.5, "50 %"],
    [0.9999, "> 99.9 %"],
    [1, "100 %"],
    [null, UNKNOWN],
  ])("a share of %s is %s", (share, text) => expect(percent(share)).toBe(text));

  it("groups thousands and keeps the places", () => {
    expect(number(1234567)).toBe("1\u202f234\u202f567");
    expect(number(-1.5, 3)).toBe("−1.500");
    expect(number(NaN)).toBe(UNKNOWN);
  });

  it("counts, signs and shortens", () => {
    expect([count(1, "worker"), count(2, "worker"), count(null, "worker")]).toEqual([
      "1 worker",
      "2 workers",
      "– workers",
    ]);
    expect([signed(2), signed(-2), signed(0)]).toEqual(["+2", "−2", "±0"]);
    expect([short(523), short(59), short(3725)]).toEqual(["8:43", "0:59", "1:02:05"]);
  });
});

describe("moments", () => {
  const at = 1_795_563_627;

  it("says UTC and how long ago", () => {
    expect(utc(at)).toBe("2026-11-24 23:40:27 UTC");
    expect([ago(at, at + 1), ago(at, at + 65)]).toEqual(["now", "1 min 5 s ago"]);
  });

  it("names the date of another day only", () => {
    expect(clock(at, at)).toMatch(/^\d\d:\d\d:27$/);
    expect(clock(at, at + 200_000)).toMatch(/^2026-11-2\d \d\d:\d\d:27$/);
  });

  it("goes to an input and back", () => {
    const minute = at - (at % 60);
    expect(fromLocalInput(toLocalInput(minute))).toBe(minute);
    expect(fromLocalInput("")).toBeNull();
  });
});

describe("what is no moment", () => {
  it("is said to be none, and breaks nothing", () => {
    for (const at of [1e300, -1e300, NaN]) {
      expect(clock(at)).toBe("no moment");
      expect(utc(at)).toBe("no moment");
      expect(iso(at)).toBeUndefined();
    }
    expect(iso(0)).toBe("1970-01-01T00:00:00.000Z");
  });
});

describe("risk", () => {
  it.each([
    [null, 600, null, "unknown"],
    [500, 600, null, "ok"],
    [500, 600, 0.01, "ok"],
    [580, 600, 0.05, "tight"],
    [601, 600, 0.4, "late"],
    [500, 600, 0.6, "late"],
    [null, 600, 0.02, "ok"],
  ] as const)("finish %s of %s with chance %s is %s", (finish, limit, miss, level) =>
    expect(risk(finish, limit, miss)).toBe(level),
  );
});

describe("decider", () => {
  it.each([
    ["network", "the network"],
    ["dqn", "the network"],
    ["forecast", "the forecast"],
    ["analytic", "the forecast"],
    ["analytic, 20261130-f6e9043c", "the forecast, 20261130-f6e9043c"],
    ["remaining-work@0.80", "remaining-work@0.80"],
  ])("%s is %s", (policy, words) => expect(decider(policy)).toBe(words));
});
