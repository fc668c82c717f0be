import { describe, expect, it } from "vitest";

import { link, parse, routeOf } from "../src/lib/route";

describe("routes", () => {
  it.each([
    ["", { view: "clusters" }],
    ["#/", { view: "clusters" }],
    ["#/models", { view: "models" }],
    ["#/training", { view: "training" }],
    ["#/decisions/12", { view: "decision", id: 12 }],
    ["#/decisions/-1", { view: "nowhere" }],
    ["#/decisions/1e9", { view: "nowhere" }],
    ["#/decisions/12/13", { view: "nowhere" }],
    ["#/clusters/a/nonsense", { view: "nowhere" }],
    ["#/clusters/%E0%A4", { view: "nowhere" }],
    ["#/elsewhere", { view: "nowhere" }],
  ])("%s", (hash, route) => expect(parse(hash)).toEqual(route));

  it("leads back from what it links to, whatever the name", () => {
    for (const name of ["etl", "a/b", "ä ö", "<script>", "100%", "a?b#c"]) {
      expect(parse(link.cluster(name, "history"))).toMatchObject({
        view: "cluster",
        cluster: name,
        tab: "history",
      });
      expect(parse(link.model(name))).toEqual({ view: "model", version: name });
    }
  });

  it.each([
    ["", "", { view: "clusters" }],
    ["", "?dag=kitwai_autoscale", { view: "clusters" }],
    ["", "?dag=constructor", { view: "clusters" }],
    ["", "?dag=kitwai_models", { view: "models" }],
    ["", "?dag=kitwai_train", { view: "training" }],
    ["#/", "?dag=kitwai_train", { view: "clusters" }],
    ["#/decisions/12", "?dag=kitwai_models", { view: "decision", id: 12 }],
  ])("begins %s where the tab of its DAG %s begins", (hash, search, route) =>
    expect(routeOf({ hash, search })).toEqual(route),
  );

  it("reads the filter of a history", () => {
    const route = parse("#/clusters/etl/history?changed=true&search=a%26b");
    expect(route.view === "cluster" && [...route.query]).toEqual([
      ["changed", "true"],
      ["search", "a&b"],
    ]);
  });
});
