// What became of every trained version before the gate, and of promotions by hand.

import type { JSX } from "preact";

import { api } from "../api/client";
import type { Verdict } from "../api/types";
import { link } from "../lib/route";
import { useData } from "../lib/use";
import { Badge, Data, Empty, Table, Time, type Tone } from "../parts/basics";
import { Pages } from "../parts/pages";

const TONE: Record<string, Tone> = {
  promoted: "good",
  promote: "good",
  rejected: "neutral",
  failed: "bad",
};

export function Training(): JSX.Element {
  const loaded = useData("training", () => api.training(null), 0);
  return (
    <>
      <div class="title">
        <h1 tabIndex={-1}>Training</h1>
      </div>
      <Data loaded={loaded} lines={6}>
        {(first) => (
          <Pages first={first} more={(before) => api.training(before)}>
            {(rows) => <Rows rows={rows} />}
          </Pages>
        )}
      </Data>
    </>
  );
}

function Rows({ rows }: { rows: Verdict[] }): JSX.Element {
  if (rows.length === 0)
    return (
      <Empty title="No training has ended yet.">
        The DAG kitwai_train runs daily once it is unpaused.
      </Empty>
    );
  return (
    <section class="panel" aria-label="Verdicts">
      <Table
        caption="Verdicts, newest first"
        class="stack"
        head={["When", "Version", "Against", "Verdict", "Why", "Run"]}
      >
        {rows.map((one) => (
          <tr key={one.id}>
            <th scope="row" data-label="When">
              <Time at={one.at} />
            </th>
            <td data-label="Version">
              <a href={link.model(one.version)}>{one.version}</a>
            </td>
            <td data-label="Against">
              {one.champion ? <a href={link.model(one.champion)}>{one.champion}</a> : "–"}
            </td>
            <td data-label="Verdict">
              <Badge tone={TONE[one.verdict] ?? "info"}>{one.verdict}</Badge>
            </td>
            <td data-label="Why" class="words">
              {one.reason}
            </td>
            <td data-label="Run">{one.run_id ?? "by hand"}</td>
          </tr>
        ))}
      </Table>
    </section>
  );
}
