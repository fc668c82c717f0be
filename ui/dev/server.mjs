// Serves the built page with made-up data, for development and for tests of rare states of the page:
//   node dev/server.mjs [PORT]     then open http://127.0.0.1:PORT/kitwai/
// Asking /state?viewer, ?silent or ?empty shows a viewer, an API that falls silent, no cluster.

import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";

import { makeClusters, makeDecision, makeTimeline } from "./data.mjs";
import { CARD, makeModels, makeVerdicts, PICTURE } from "./models.mjs";

const STATIC = fileURLToPath(new URL("../../plugins/kitwai/web/static/", import.meta.url));
const TYPES = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
};
const now = () => Date.now() / 1000;

const begun = now();
const clusters = makeClusters(begun);
const day = makeTimeline(begun, 7);
const models = makeModels();
const verdicts = makeVerdicts(begun);
const controls = clusters.flatMap((cluster) => cluster.controls);
const state = { viewer: false, silent: false, empty: false };

const COMPARISON = {
  decisions: 412,
  differs: 61,
  fewer: 44,
  more: 17,
  workers: -0.07,
  judged: 390,
  same_forecast: 0,
  first: { loss: 0.0124, cost_s: -8.1, finish_s: 21.4, miss: 0.0031 },
  second: { loss: -0.0319, cost_s: -14.9, finish_s: 12.2, miss: 0.0004 },
};

class Refusal extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

const ROUTES = [
  [
    "GET",
    /^me$/,
    () => ({
      name: state.viewer ? "guest" : "ada",
      may_change: !state.viewer,
      may_answer: !state.viewer,
      may_promote: !state.viewer,
      csrf: "token",
    }),
  ],
  ["GET", /^clusters$/, () => (state.empty ? [] : clusters.map(fresh))],
  ["GET", /^clusters\/([^/]+)$/, ([name]) => fresh(clusterOf(name))],
  [
    "GET",
    /^clusters\/([^/]+)\/timeline$/,
    ([name], query) =>
      name === "reports"
        ? part(makeTimeline(begun, 1), 1e12, 1e12)
        : part(day, Number(query.get("since")), Number(query.get("until"))),
  ],
  ["GET", /^clusters\/([^/]+)\/decisions$/, (_names, query) => decisions(query)],
  ["GET", /^decisions\/(\d+)$/, ([id]) => makeDecision(now(), Number(id))],
  ["GET", /^observations\/(\d+)$/, () => ({ cluster: "etl_production", at: now() })],
  ["GET", /^clusters\/([^/]+)\/controls$/, () => ({ items: [...controls].reverse(), next: null })],
  [
    "POST",
    /^clusters\/([^/]+)\/controls$/,
    ([name], _query, body) => control(clusterOf(name), body),
  ],
  [
    "GET",
    /^approvals$/,
    () => ({
      items: clusters.map((one) => one.approval).filter((one) => one && one.answer === null),
      next: null,
    }),
  ],
  ["POST", /^approvals\/(\d+)$/, ([id], _query, body) => answer(Number(id), body)],
  ["GET", /^models$/, () => models],
  [
    "GET",
    /^models\/([^/]+)$/,
    ([version]) => ({
      ...modelOf(version),
      card: CARD.replace("20261124-f76b9e54", version),
      pictures: ["curve.svg"],
    }),
  ],
  ["POST", /^models\/rollback$/, () => champion(models.find((model) => !model.champion).version)],
  ["POST", /^models\/([^/]+)\/promote$/, ([version]) => champion(version)],
  ["GET", /^training$/, () => ({ items: verdicts, next: null })],
  [
    "GET",
    /^clusters\/([^/]+)\/shadow$/,
    ([name]) =>
      name === "reports"
        ? []
        : [
            {
              cluster: name,
              checkpoint: "20261123-5899d39f",
              decisions: 412,
              differs: 61,
              fewer_workers: 44,
              more_workers: 17,
              regret_champion: 0.0124,
              regret_challenger: 0.0319,
              since: begun - 86_400,
              until: begun,
              champion: "20261124-f76b9e54",
              comparison: COMPARISON,
              kinship: null,
              outcome: null,
              notes: [],
            },
          ],
  ],
  ["POST", /^clusters\/([^/]+)\/replay$/, ([name], _query, body) => replay(name, body)],
];

function fresh(cluster) {
  return {
    ...cluster,
    observed_at: cluster.observed_at && now() - 4,
    decided_at: cluster.decided_at && now() - 3,
  };
}

function found(value) {
  if (!value) throw new Refusal(404, "There is no such thing here.");
  return value;
}

const clusterOf = (name) => found(clusters.find((cluster) => cluster.cluster === name));
const modelOf = (version) => found(models.find((model) => model.version === version));

function part(line, since, until) {
  const first = line.at.findIndex((at) => at >= since);
  const from = first < 0 ? line.at.length : first;
  const columns = Object.entries(line).map(([name, column]) => [
    name,
    !Array.isArray(column)
      ? column
      : name === "marks"
        ? column.filter((mark) => mark.at >= since && mark.at <= until)
        : column.slice(from),
  ]);
  return Object.fromEntries(columns);
}

function decisions(query) {
  const before = Number(query.get("before") ?? Infinity);
  const marks = new Map(day.marks.map((mark) => [mark.decision_id, mark]));
  const rows = day.decision_id
    .map((id, index) => ({
      id,
      at: day.at[index],
      mode: index % 9 ? "auto" : "suggest",
      present: marks.get(id)?.present ?? day.present[index],
      target: day.target[index],
      reason: marks.get(id)?.reason ?? "The present count makes every limit at the least cost.",
      policy: "network",
      checkpoint: "20261124-f76b9e54",
      fallback: null,
      guardrails: index % 7 ? [] : ["cooldown"],
      started: marks.has(id) ? 1 : null,
      removed: marks.has(id) ? 0 : null,
    }))
    .filter(
      (row) =>
        row.id < before &&
        (query.get("changed") !== "true" || marks.has(row.id)) &&
        (!query.get("mode") || row.mode === query.get("mode")) &&
        row.reason.includes(query.get("search") ?? ""),
    )
    .reverse();
  const limit = Number(query.get("limit") ?? 50);
  return { items: rows.slice(0, limit), next: rows.length > limit ? rows[limit - 1].id : null };
}

function control(cluster, change) {
  if (change.name === "max_workers" && change.value > 64)
    throw new Refusal(
      422,
      "max_workers of this cluster can be at most 64: its pool has no more addresses.",
    );
  const made = { ...change, at: now(), by: "ada", in_force: change.value !== null };
  controls.push(made);
  cluster.controls = [...cluster.controls.filter((one) => one.name !== change.name), made].filter(
    (one) => one.in_force,
  );
  if (change.name === "mode" && change.value) cluster.mode = change.value;
  return made;
}

function answer(id, { answer: given }) {
  const approval = found(clusters.map((one) => one.approval).find((one) => one?.id === id));
  if (approval.answer) throw new Refusal(409, "It has been answered already.");
  return Object.assign(approval, { answer: given, answered_at: now(), answered_by: "ada" });
}

function champion(version) {
  const before = models.find((model) => model.champion).version;
  for (const model of models) model.champion = model.version === version;
  return { champion: version, before };
}

function replay(name, body) {
  if (body.policy === "nonsense")
    throw new Refusal(
      422,
      "There is no policy 'nonsense'; there are remaining-work, always-N, static.",
    );
  const line = part(day, body.since, body.until);
  return {
    cluster: name,
    since: body.since,
    until: body.until,
    observations: line.at.length,
    differs: Math.round(line.at.length * 0.21),
    share: 0.21,
    comparison: COMPARISON,
    notes: ["Workers that others run on the cluster are left out."],
    real: { name: "network", limits: 31, met: 31, worker_s: 47_380 },
    recorded: { name: "network", limits: 31, met: 31, worker_s: 48_211 },
    replayed: { name: body.policy ?? body.checkpoint, limits: 31, met: 30, worker_s: 53_904 },
    unknown: ["app-20261124100412-0004 still ran at the end of the time."],
    at: line.at,
    recorded_target: line.target,
    replayed_target: line.target.map((target, index) =>
      Math.min(10, target + (index % 40 < 9 ? 1 : 0)),
    ),
  };
}

async function api(request, path, query) {
  let text = "";
  for await (const chunk of request) text += chunk;
  if (state.silent) throw new Refusal(503, "The database gave no answer; ask again.");
  for (const [method, pattern, handle] of ROUTES) {
    const match = pattern.exec(path);
    if (match && method === request.method) {
      if (method === "POST" && request.headers["x-kitwai-csrf"] !== "token")
        throw new Refusal(403, "The token is missing.");
      return handle(match.slice(1).map(decodeURIComponent), query, text ? JSON.parse(text) : null);
    }
  }
  throw new Refusal(404, "There is no such page.");
}

const server = createServer(async (request, response) => {
  const url = new URL(request.url, "http://localhost");
  const send = (status, type, body) =>
    response
      .writeHead(status, {
        "Content-Type": type,
        "Content-Security-Policy":
          "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'",
      })
      .end(body);
  try {
    if (url.pathname.startsWith("/kitwai/api/v1/")) {
      const path = url.pathname.slice("/kitwai/api/v1/".length);
      if (path.endsWith("/decisions.csv")) return send(200, "text/csv", "id,at\n1,2\n");
      if (path.includes("/pictures/")) return send(200, "image/svg+xml", PICTURE);
      return send(
        200,
        "application/json",
        JSON.stringify(await api(request, path, url.searchParams)),
      );
    }
    if (url.pathname === "/state") {
      for (const name of Object.keys(state)) state[name] = url.searchParams.has(name);
      return send(200, "application/json", "{}");
    }
    const path = normalize(url.pathname.replace(/^\/kitwai\//, "")) || "index.html";
    if (path.startsWith("..")) throw new Refusal(404, "There is no such page.");
    const file = path === "." || path === "/" ? "index.html" : path;
    send(
      200,
      TYPES[extname(file)] ?? "application/octet-stream",
      await readFile(join(STATIC, file)),
    );
  } catch (error) {
    send(error.status ?? 404, "application/json", JSON.stringify({ detail: error.message }));
  }
});

server.listen(Number(process.argv[2] ?? 0), "127.0.0.1", () =>
  console.log(`http://127.0.0.1:${server.address().port}/kitwai/`),
);
