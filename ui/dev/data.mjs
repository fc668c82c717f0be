// Made-up clusters that show every state of the page. For development and tests of the page alone.

const STEP_S = 15;

function random(seed) {
  let state = seed;
  return () => {
    state = (state * 1664525 + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** A day of steps of a cluster that runs one application after another. */
export function makeTimeline(now, seed, limit = 600, most = 10) {
  const next = random(seed);
  const steps = (24 * 3600) / STEP_S;
  const line = {
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
  let present = 2;
  let target = 2;
  let left = 0;
  let elapsed = 0;
  let tasks = 0;
  let done = 0;
  for (let index = 0; index < steps; index++) {
    const at = now - (steps - 1 - index) * STEP_S;
    const id = 1000 + index;
    if (left <= 0 && next() < 0.06) {
      tasks = 200 + Math.round(next() * 900);
      left = tasks * (2.6 + next());
      done = elapsed = 0;
    }
    const before = present;
    if (left > 0) {
      left -= present * STEP_S * (0.85 + next() * 0.3);
      elapsed += STEP_S;
      done = Math.min(tasks, Math.max(done, Math.round(tasks * (1 - left / (tasks * 3.1)))));
    }
    const finish = left > 0 ? elapsed + left / present : null;
    let reason = null;
    if (left > 0 && finish > limit * 0.97 && target < most && next() < 0.6) {
      target = Math.min(
        most,
        Math.max(target + 1, Math.ceil(left / Math.max(60, limit * 0.93 - elapsed))),
      );
      reason = `At ${before} workers daily_sales is predicted to end after ${Math.round(finish)} s, past its limit of ${limit} s; ${target} make it at the least cost.`;
    } else if (left > 0 && finish < limit * 0.7 && target > 1 && next() < 0.15) {
      target -= 1;
      reason = `${target} workers still make the limit of ${limit} s (predicted ${Math.round(finish * 1.15)} s) and cost less.`;
    } else if (left <= 0 && target > 1 && next() < 0.3) {
      target = 1;
      reason = "Nothing has run for 30 s: down to the least, 1 worker.";
    }
    const running = left > 0;
    const gap = index > steps * 0.52 && index < steps * 0.535;
    if (!gap) {
      line.at.push(at);
      line.present.push(present);
      line.target.push(target);
      line.tasks.push(running ? tasks : null);
      line.tasks_done.push(running ? done : null);
      line.elapsed_s.push(running ? elapsed : null);
      line.finish_s.push(running && finish < 3000 ? finish : null);
      line.limit_s.push(running ? limit : null);
      line.decision_id.push(id);
      if (reason && target !== before)
        line.marks.push({ at, decision_id: id, present: before, target, reason });
    }
    present = target;
  }
  return line;
}

const HOSTILE = '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script> nightly';

export function makeClusters(now) {
  const application = (
    id,
    name,
    elapsed,
    limit,
    finish,
    miss,
    target,
    tasks,
    done,
    source = "application",
  ) => ({
    id,
    name,
    target,
    elapsed_s: elapsed,
    limit_s: limit,
    limit_source: source,
    left_s: limit && limit - elapsed,
    finish_s: finish,
    miss_probability: miss,
    tasks,
    tasks_done: done,
    reason: `${target} workers are the cheapest that make the limit.`,
  });
  const cluster = (name, more) => ({
    cluster: name,
    error: null,
    observed_at: now - 6,
    decided_at: now - 5,
    decision_id: 6759,
    present: 4,
    serving: 4,
    starting: 0,
    draining: 0,
    target: 4,
    mode: "auto",
    max_workers: 10,
    limit_s: 600,
    reason: "",
    policy: "network",
    checkpoint: "20261124-f76b9e54",
    fallback: null,
    flaps: { used: 3, budget: 12 },
    applications: [],
    missing: {},
    controls: [],
    ignored: [],
    approval: null,
    ...more,
  });
  return [
    cluster("etl_production", {
      present: 5,
      serving: 4,
      starting: 1,
      target: 5,
      reason:
        "daily_sales needs 3 workers to end within 10 min of its start (predicted 8 min 41 s, miss chance 0.4 %), currency_rates 2: 5 together, 1 more than there are.",
      applications: [
        application("app-20261124210412-0031", "daily_sales", 214, 600, 521, 0.004, 3, 812, 301),
        application(
          "app-20261124210702-0032",
          "currency_rates",
          44,
          180,
          171,
          0.11,
          2,
          64,
          9,
          "cluster",
        ),
      ],
    }),
    cluster("ml_features", {
      mode: "approve",
      present: 2,
      serving: 2,
      target: 6,
      reason:
        "At 2 workers churn_features is predicted to end after 24 min 2 s, past its limit of 15 min; 6 make it at the least cost.",
      applications: [
        application(
          "app-20261124205544-0007",
          "churn_features",
          402,
          900,
          1442,
          0.97,
          6,
          2400,
          411,
        ),
      ],
      approval: {
        id: 12,
        cluster: "ml_features",
        decision_id: 6759,
        asked_at: now - 20,
        expires_at: now + 400,
        present: 2,
        target: 6,
        reason:
          "At 2 workers churn_features is predicted to end after 24 min 2 s, past its limit of 15 min; 6 make it at the least cost.",
        answer: null,
        answered_at: null,
        answered_by: null,
      },
    }),
    cluster("lab", {
      mode: "suggest",
      present: 3,
      serving: 2,
      draining: 1,
      target: 2,
      policy: "forecast",
      fallback:
        "The weights of 20261124-f76b9e54 do not have the hash that its manifest names; the forecast decides.",
      missing: {
        metrics: "gmond at 10.0.4.2:8649 gave no answer within 2 s",
        driver_log: "no file",
      },
      flaps: { used: 11, budget: 12 },
      reason: "The observation is partial: the present count is held.",
      applications: [
        application(
          "app-20261124204001-0002",
          "graph_experiments",
          1290,
          null,
          null,
          null,
          2,
          null,
          null,
          "unknown",
        ),
      ],
      controls: [
        { name: "pin", value: 2, at: now - 600, by: "ada", until: now + 3000, in_force: true },
        { name: "limit", value: "60min", at: now - 900, by: "ada", until: null, in_force: true },
      ],
    }),
    cluster("reports", {
      present: 1,
      serving: 1,
      target: 1,
      max_workers: 4,
      reason: "Nothing has run for 30 s: 1 worker stays.",
      flaps: { used: 0, budget: null },
      ignored: ["The limit that ada set is left out: 'soon' is not a time."],
      controls: [
        { name: "pause", value: "on", at: now - 60, by: "grace", until: now + 840, in_force: true },
      ],
    }),
    cluster("sandbox", {
      mode: "suggest",
      present: 2,
      serving: 2,
      target: 2,
      max_workers: 3,
      reason: `Sum over 2 applications: ${HOSTILE}: 1; clicks: 1.`,
      applications: [
        application("app-20261124210001-0001", HOSTILE, 40, 300, 190, 0.001, 1, 20, 4),
        application(
          "app-20261124080001-0002",
          "clicks",
          47_040,
          null,
          null,
          null,
          1,
          8400,
          8396,
          "none",
        ),
      ],
    }),
    cluster("unreachable", {
      present: null,
      serving: null,
      starting: null,
      draining: null,
      target: null,
      reason: "Nothing is touched: no master: 10.0.4.9:8080 gave no answer within 2 s.",
      missing: { master: "10.0.4.9:8080 gave no answer within 2 s" },
      applications: null,
    }),
    {
      ...cluster("broken", {}),
      ...Object.fromEntries(
        [
          "observed_at",
          "decided_at",
          "decision_id",
          "present",
          "serving",
          "starting",
          "draining",
          "target",
          "mode",
          "max_workers",
          "limit_s",
          "reason",
          "policy",
          "checkpoint",
          "flaps",
          "applications",
        ].map((name) => [name, null]),
      ),
      error:
        "The extra of connection 'broken' has an unknown field 'max_worker': did you mean max_workers?",
    },
  ];
}

export function makeDecision(now, id) {
  const targets = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];
  const finish = targets.map(
    (target) => 130 + 1180 / target + (target > 8 ? 12 * (target - 8) : 0),
  );
  const miss = finish.map((value) => 1 / (1 + Math.exp((600 - value) / 28)));
  const q = finish.map(
    (value, index) => (-(value - 90) * targets[index]) / 1000 - 10 * miss[index],
  );
  const app = {
    id: "app-20261124210412-0031",
    name: "daily_sales",
    constraint: { max_workers: 8, limit_s: 600, miss: 0.01 },
    limit_source: "application",
    elapsed_s: 90,
    target: 4,
    reason:
      "4 workers: predicted to end after 7 min 5 s of 10 min, miss chance 0.2 %. 3 would be cheaper, but the last scaling was only 11 s ago.",
    policy: "network",
    checkpoint: "20261124-f76b9e54",
    mask: targets.map((target) => target <= 8),
    q_values: q,
    miss_probability: miss,
    predicted_finish_s: finish,
    guardrails: [
      {
        name: "cooldown",
        before: 3,
        after: 4,
        reason: "Scaled out 11 s ago; the next scale-in is due 30 s after it.",
      },
    ],
  };
  return {
    id,
    observation_id: id,
    decision: {
      cluster: "etl_production",
      at: now - 5,
      mode: "auto",
      constraint: { max_workers: 10, limit_s: 600, miss: 0.01 },
      present: 4,
      target: 5,
      reason:
        "daily_sales needs 4 workers, currency_rates 2: 6 together, held at 5 by the budget of changes.",
      policy: "network",
      checkpoint: "20261124-f76b9e54",
      fallback: null,
      applications: [
        app,
        {
          ...app,
          id: "app-20261124210702-0032",
          name: HOSTILE,
          target: 2,
          guardrails: [],
          q_values: null,
          miss_probability: null,
          predicted_finish_s: null,
          mask: [],
          reason: "Nothing is known of its work left yet: it gets as many as it has.",
        },
      ],
      guardrails: [
        {
          name: "flap budget",
          before: 6,
          after: 5,
          reason: "11 of 12 changes within the hour are used.",
        },
      ],
    },
    settings: {},
    what_if: {
      [app.id]: targets.map((target, index) => ({
        target,
        finish_s: finish[index],
        cost: (finish[index] - 90) * target,
        miss_probability: miss[index],
        q_value: target <= 8 ? q[index] : null,
        allowed: target <= 8,
      })),
      "app-20261124210702-0032": [],
    },
    scalings: [
      {
        target: 5,
        started: ["worker-7"],
        drained: [],
        stopped: [],
        settled: true,
        waiting: [],
        failed: [],
        seconds: 13.2,
      },
    ],
  };
}
