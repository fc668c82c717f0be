// Recorded time decided again by something else; and a challenger that decides without acting.

import type { JSX } from "preact";
import { useMemo, useState } from "preact/hooks";
import type uPlot from "uplot";

import { api } from "../api/client";
import type { Comparison, Replay, ReplayPolicy } from "../api/types";
import {
  count,
  decider,
  duration,
  fromLocalInput,
  number,
  percent,
  toLocalInput,
} from "../lib/format";
import { link } from "../lib/route";
import { withGaps } from "../lib/series";
import { useData } from "../lib/use";
import { Data, Empty, Field, Notice, Table, Time } from "../parts/basics";
import { Chart } from "../parts/chart";
import { refusal, useShell } from "../parts/context";

/** The API counts anew once a minute. */
const SHADOW_S = 60;
const POLICIES = ["remaining-work@0.95", "remaining-work@0.80", "remaining-work@0.70", "always-N"];

export function ReplayAndShadow({ cluster }: { cluster: string }): JSX.Element {
  return (
    <>
      <ReplayForm cluster={cluster} />
      <Shadow cluster={cluster} />
    </>
  );
}

function ReplayForm({ cluster }: { cluster: string }): JSX.Element {
  const { me, say } = useShell();
  const models = useData("models", () => api.models(), 0);
  const now = Date.now() / 1000;
  const [since, setSince] = useState(toLocalInput(now - 86_400));
  const [until, setUntil] = useState(toLocalInput(now + 60));
  const [kind, setKind] = useState<"policy" | "checkpoint">("policy");
  const [policy, setPolicy] = useState(POLICIES[1]!);
  const [version, setVersion] = useState("");
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<string | null>(null);
  const [result, setResult] = useState<Replay | null>(null);
  const usable = models.data?.filter((model) => !model.error) ?? [];
  const chosen = version || usable[0]?.version || "";

  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    const [from, to] = [fromLocalInput(since), fromLocalInput(until)];
    if (from === null || to === null || from >= to) {
      setError("The end must lie behind the beginning.");
      return;
    }
    setBusy(true);
    setError(null);
    setResult(null);
    try {
      const asked =
        kind === "policy"
          ? { checkpoint: null, policy: policy.trim() }
          : { checkpoint: chosen, policy: null };
      const answer = await api.replay(cluster, { since: from, until: to, ...asked });
      setResult(answer);
      say(
        `Replay done: ${count(answer.observations, "observation")}, ${number(answer.differs)} decided otherwise.`,
      );
    } catch (failure) {
      setError((failure as Error).message);
    }
    setBusy(false);
  };

  return (
    <section class="panel" aria-labelledby="replay-title">
      <div class="panel-head">
        <h2 id="replay-title">Replay</h2>
      </div>
      <p class="hint">
        Takes the recorded decisions of a time again, by another checkpoint or a baseline, and
        compares. Nothing is touched.
      </p>
      <form class="filters" onSubmit={submit}>
        <Field label="From">
          <input
            type="datetime-local"
            value={since}
            required
            onInput={(event) => setSince(event.currentTarget.value)}
          />
        </Field>
        <Field label="To">
          <input
            type="datetime-local"
            value={until}
            required
            onInput={(event) => setUntil(event.currentTarget.value)}
          />
        </Field>
        <Field label="Decided by">
          <select
            value={kind}
            onChange={(event) => setKind(event.currentTarget.value as "policy" | "checkpoint")}
          >
            <option value="policy">a baseline</option>
            <option value="checkpoint">a checkpoint</option>
          </select>
        </Field>
        {kind === "policy" ? (
          <Field label="Baseline">
            <input
              type="text"
              list="policies"
              value={policy}
              required
              maxLength={100}
              onInput={(event) => setPolicy(event.currentTarget.value)}
            />
          </Field>
        ) : (
          <Field label="Checkpoint">
            <select value={chosen} onChange={(event) => setVersion(event.currentTarget.value)}>
              {usable.map((model) => (
                <option key={model.version} value={model.version}>
                  {model.version}
                  {model.champion ? " (champion)" : ""}
                </option>
              ))}
            </select>
          </Field>
        )}
        <datalist id="policies">
          {POLICIES.map((name) => (
            <option key={name} value={name} />
          ))}
        </datalist>
        <button
          type="submit"
          class="primary"
          disabled={busy || refusal(me, "change") !== null}
          title={refusal(me, "change") ?? undefined}
        >
          {busy ? "Deciding again …" : "Replay"}
        </button>
      </form>
      {error && <Notice tone="bad">{error}</Notice>}
      {result && <Result replay={result} />}
    </section>
  );
}

function Result({ replay }: { replay: Replay }): JSX.Element {
  const data = useMemo(
    () =>
      withGaps(
        replay.at,
        [replay.recorded_target, replay.replayed_target],
        120,
      ) as uPlot.AlignedData,
    [replay],
  );
  return (
    <div class="result">
      <p class="reason">
        {`${count(replay.observations, "observation")} decided again; on ${number(replay.differs)} of them the targets differ`}
        {replay.share !== null && ` (${percent(replay.share)})`}.{" "}
        {replay.comparison.differs > 0 &&
          `${replay.replayed.name} asks for fewer workers on ${number(replay.comparison.fewer)}, for more on ${number(replay.comparison.more)}.`}
      </p>
      <Forecasts
        comparison={replay.comparison}
        names={[decider(replay.recorded.name), replay.replayed.name]}
      />
      <h3>What it comes to</h3>
      <Table
        caption="What each side comes to"
        class="numbers"
        head={["", "Applications with a limit", "Limits met", "Share", "Worker-seconds"]}
      >
        <Side side={replay.real} of="as it was" />
        <Side side={replay.recorded} of="simulated" />
        <Side side={replay.replayed} of="simulated" />
      </Table>
      <p class="hint">How near the first two rows are shows how good the simulation is.</p>
      <Notes notes={replay.notes} />
      {replay.at.length > 0 && (
        <>
          <dl class="legend">
            <div>
              <dt>
                <span class="swatch series-present" aria-hidden="true" />
                recorded target
              </dt>
            </div>
            <div>
              <dt>
                <span class="swatch series-target" aria-hidden="true" />
                {`target of ${replay.replayed.name}`}
              </dt>
            </div>
          </dl>
          <Chart
            label={`Targets over ${duration(replay.until - replay.since)}, recorded and replayed.`}
            height={180}
            lines={[
              { label: "recorded", colour: "series-present", stepped: true, fill: true },
              { label: "replayed", colour: "series-target", stepped: true, dash: [5, 4] },
            ]}
            data={data}
            since={replay.since}
            until={replay.until}
            group="replay"
            whole
            format={(value) => (Number.isInteger(value) ? String(value) : "")}
          />
        </>
      )}
      {replay.unknown.length > 0 && (
        <details>
          <summary>{`${count(replay.unknown.length, "application")} could not be judged`}</summary>
          <ul>
            {replay.unknown.map((why, index) => (
              <li key={index}>{why}</li>
            ))}
          </ul>
        </details>
      )}
    </div>
  );
}

function Side({ side, of }: { side: ReplayPolicy; of: string }): JSX.Element {
  return (
    <tr>
      <th scope="row">
        {decider(side.name)} <span class="hint">{of}</span>
      </th>
      <td>{number(side.limits)}</td>
      <td>{number(side.met)}</td>
      <td>{side.limits && side.met !== null ? percent(side.met / side.limits) : "–"}</td>
      <td>{number(side.worker_s)}</td>
    </tr>
  );
}

function Notes({ notes }: { notes: string[] }): JSX.Element | null {
  if (notes.length === 0) return null;
  return (
    <ul class="plain hint">
      {notes.map((note, index) => (
        <li key={index}>{note}</li>
      ))}
    </ul>
  );
}

/** The second's targets less the first's, as the forecasts of both see them. */
function Forecasts({
  comparison,
  names,
}: {
  comparison: Comparison;
  names: [string, string];
}): JSX.Element | null {
  if (comparison.judged === 0) return null;
  return (
    <>
      <h3>{`Targets of ${names[1]} less those of ${names[0]}, in the mean`}</h3>
      <Table
        caption="The difference as both forecasts see it"
        class="numbers"
        head={["As seen by", "Finish", "Cost, worker-s", "Miss chance", "Loss"]}
      >
        {[comparison.first, comparison.second].map((seen, index) => (
          <tr key={index}>
            <th scope="row">{names[index]}</th>
            <td>{duration(seen.finish_s)}</td>
            <td>{number(seen.cost_s, 1)}</td>
            <td>{seen.miss === null ? "–" : `${number(seen.miss * 100, 2)} % points`}</td>
            <td>{number(seen.loss, 4)}</td>
          </tr>
        ))}
      </Table>
      <p class="hint">{`Over ${count(comparison.judged, "decision")} on applications that both could judge. ${LOSS}`}</p>
    </>
  );
}

const LOSS =
  "Loss: expected cost plus the price of a missed limit times its chance, in costs of the whole run on the best constant cluster.";

function Shadow({ cluster }: { cluster: string }): JSX.Element {
  const loaded = useData(`shadow/${cluster}`, () => api.shadow(cluster), SHADOW_S);
  return (
    <section class="panel" aria-labelledby="shadow-title">
      <div class="panel-head">
        <h2 id="shadow-title">Shadow</h2>
      </div>
      <p class="hint">Challengers that decide beside the champion and touch nothing.</p>
      <Data loaded={loaded} everyS={SHADOW_S}>
        {(rows) =>
          rows.length === 0 ? (
            <Empty title="No challenger decides in the shadow." />
          ) : (
            <>
              <Table
                caption="Challengers"
                class="stack"
                head={[
                  "Checkpoint",
                  "Since",
                  "Decisions",
                  "Differ",
                  "Fewer workers",
                  "More workers",
                  "Champion's regret",
                  "Challenger's regret",
                ]}
              >
                {rows.map((row) => (
                  <tr key={row.checkpoint}>
                    <th scope="row" data-label="Checkpoint">
                      <a href={link.model(row.checkpoint)}>{row.checkpoint}</a>
                    </th>
                    <td data-label="Since">
                      <Time at={row.since} seconds={false} />
                    </td>
                    <td data-label="Decisions">{number(row.decisions)}</td>
                    <td data-label="Differ">
                      {number(row.differs)}
                      {row.decisions > 0 && (
                        <span class="hint">{` ${percent(row.differs / row.decisions)}`}</span>
                      )}
                    </td>
                    <td data-label="Fewer workers">{number(row.fewer_workers)}</td>
                    <td data-label="More workers">{number(row.more_workers)}</td>
                    <td data-label="Champion's regret">{number(row.regret_champion, 4)}</td>
                    <td data-label="Challenger's regret">{number(row.regret_challenger, 4)}</td>
                  </tr>
                ))}
              </Table>
              <p class="hint">
                {`Champion's regret: what the challenger's targets lose as the champion's forecast sees it; challenger's regret: the reverse. ${LOSS}`}
              </p>
              <Notes
                notes={rows.flatMap((row) => [
                  ...(row.kinship ? [`${row.checkpoint}: ${row.kinship}`] : []),
                  ...row.notes,
                ])}
              />
            </>
          )
        }
      </Data>
    </section>
  );
}
