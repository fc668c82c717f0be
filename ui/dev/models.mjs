// Made-up checkpoints, a card that holds what it should not, and verdicts.

const METRICS = {
  recurring: {
    network: { hit_rate: 0.998, static_ratio: 1.04 },
    analytic: { hit_rate: 0.999, static_ratio: 1.07 },
  },
  new: {
    network: { hit_rate: 0.977, static_ratio: 1.16 },
    analytic: { hit_rate: 0.99, static_ratio: 1.23 },
  },
  disturbed: {
    network: { hit_rate: 0.984, static_ratio: 1.12 },
    analytic: { hit_rate: 0.989, static_ratio: 1.09 },
  },
};

export function makeModels() {
  const model = (version, champion, parent, trusted, error = null) => ({
    version,
    champion,
    parent,
    created: "2026-11-24T21:30:16+00:00",
    trusted: { informed: trusted, uninformed: false },
    metrics: METRICS,
    error,
  });
  return [
    model("20261124-f76b9e54", true, "20261123-5899d39f", true),
    model("20261123-5899d39f", false, "20261122-0c11ab20", false),
    model(
      "20261122-0c11ab20",
      false,
      null,
      false,
      "weights.npz does not have the SHA-256 that the manifest names.",
    ),
  ];
}

export const CARD = `# 20261124-f76b9e54

| | |
| --- | --- |
| made by | \`kitwai train --seed 0\`, Kitwai 0.1.0 |
| network, informed | changes the loss by -0.15 (-0.19 to -0.11), and decides. |

<script>window.hacked = 1</script>

## How good

| policy | hit rate | static ratio |
| --- | --- | --- |
| network | 0.998 | 1.04 |
| analytic & co | 0.999 | 1.07 |

- *recurring* runs, **97 %** of \`a < b\`
- a [bad link](javascript:alert(1)), a [good one](https://example.org/)

![Learning curve](curve.svg)

![Elsewhere](https://example.org/pixel.png)
`;

export const PICTURE =
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 640 240"><rect width="640" height="240" fill="#fff"/><path d="M20 220C120 60 260 40 620 30" stroke="#27548f" fill="none" stroke-width="3"/></svg>';

export function makeVerdicts(now) {
  return [
    {
      id: 3,
      at: now - 7200,
      run_id: "scheduled__2026-11-24T00:00:00+00:00",
      version: "20261124-f76b9e54",
      champion: "20261123-5899d39f",
      verdict: "promoted",
      reason:
        "As many limits met, and cheaper: static ratio 0.968 of the champion's (0.951 to 0.984).",
    },
    {
      id: 2,
      at: now - 93_600,
      run_id: "scheduled__2026-11-23T00:00:00+00:00",
      version: "20261123-5899d39f",
      champion: "20261122-0c11ab20",
      verdict: "rejected",
      reason: "Not cheaper: 1.002 (0.991 to 1.013).",
    },
    {
      id: 1,
      at: now - 180_000,
      run_id: null,
      version: "20261122-0c11ab20",
      champion: null,
      verdict: "rolled back",
      reason: "By hand, instead of 20261123-5899d39f, by ada.",
    },
  ];
}
