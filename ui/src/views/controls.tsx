// The record of what people set on a cluster.

import type { JSX } from "preact";

import { api } from "../api/client";
import { CONTROL_WORD, controlValue } from "../lib/consequence";
import type { ControlView } from "../api/types";
import { useData } from "../lib/use";
import { Badge, Data, Empty, Table, Time } from "../parts/basics";
import { Pages } from "../parts/pages";

export function ControlRecord({ cluster }: { cluster: string }): JSX.Element {
  const loaded = useData(`controls/${cluster}`, () => api.controls(cluster, null), 0);
  return (
    <section class="panel" aria-labelledby="record-title">
      <div class="panel-head">
        <h2 id="record-title">Record of controls</h2>
      </div>
      <Data loaded={loaded}>
        {(first) => (
          <Pages first={first} more={(before) => api.controls(cluster, before)}>
            {(rows) => <Rows rows={rows} />}
          </Pages>
        )}
      </Data>
    </section>
  );
}

function Rows({ rows }: { rows: ControlView[] }): JSX.Element {
  if (rows.length === 0)
    return (
      <Empty title="Nobody has set anything here.">
        What the cluster's connection says counts.
      </Empty>
    );
  return (
    <Table
      caption="What was set, newest first"
      class="stack"
      head={["When", "Who", "What", "To", "Until", "State"]}
    >
      {rows.map((one, index) => (
        <tr key={index}>
          <th scope="row" data-label="When">
            <Time at={one.at} />
          </th>
          <td data-label="Who">{one.by}</td>
          <td data-label="What">{CONTROL_WORD[one.name] ?? one.name}</td>
          <td data-label="To">{controlValue(one.name, one.value)}</td>
          <td data-label="Until">
            {one.until === null ? "changed again" : <Time at={one.until} />}
          </td>
          <td data-label="State">
            {one.in_force ? <Badge tone="good">in force</Badge> : <span class="hint">over</span>}
          </td>
        </tr>
      ))}
    </Table>
  );
}
