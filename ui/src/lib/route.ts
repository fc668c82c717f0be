// The page's own addresses. They stand behind `#`, so that one file serves all of them, inside
// Airflow's frame and outside.

export type Route =
  | { view: "clusters" }
  | { view: "cluster"; cluster: string; tab: ClusterTab; query: URLSearchParams }
  | { view: "decision"; id: number }
  | { view: "models" }
  | { view: "model"; version: string }
  | { view: "training" }
  | { view: "nowhere" };

export const CLUSTER_TABS = ["live", "history", "controls", "replay"] as const;
export type ClusterTab = (typeof CLUSTER_TABS)[number];

/** Where the page begins in a DAG's tab in Airflow; in all other tabs with the clusters. */
const OF_DAG = new Map([
  ["kitwai_models", "#/models"],
  ["kitwai_train", "#/training"],
]);

/** What the address asks for: its part behind `#`; where there is none, the DAG that it names. */
export function routeOf({ hash, search }: { hash: string; search: string }): Route {
  const dag = new URLSearchParams(search).get("dag") ?? "";
  return parse(hash || (OF_DAG.get(dag) ?? ""));
}

/** What `location.hash` asks for. */
export function parse(hash: string): Route {
  const [path = "", query = ""] = hash.replace(/^#\/?/, "").split("?", 2);
  let parts: string[];
  try {
    parts = path.split("/").filter(Boolean).map(decodeURIComponent);
  } catch {
    return { view: "nowhere" };
  }
  const [first, second, third] = parts;
  if (first === undefined) return { view: "clusters" };
  if (first === "clusters" && second !== undefined && parts.length <= 3) {
    const tab = CLUSTER_TABS.find((one) => one === (third ?? "live"));
    if (tab) return { view: "cluster", cluster: second, tab, query: new URLSearchParams(query) };
  }
  if (first === "decisions" && /^\d{1,15}$/.test(second ?? "") && parts.length === 2) {
    return { view: "decision", id: Number(second) };
  }
  if (first === "models" && parts.length === 1) return { view: "models" };
  if (first === "models" && second !== undefined && parts.length === 2) {
    return { view: "model", version: second };
  }
  if (first === "training" && parts.length === 1) return { view: "training" };
  return { view: "nowhere" };
}

export const link = {
  clusters: () => "#/",
  cluster: (name: string, tab: ClusterTab = "live") =>
    `#/clusters/${encodeURIComponent(name)}${tab === "live" ? "" : `/${tab}`}`,
  decision: (id: number) => `#/decisions/${id}`,
  models: () => "#/models",
  model: (version: string) => `#/models/${encodeURIComponent(version)}`,
  training: () => "#/training",
};
