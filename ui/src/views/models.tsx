// Checkpoints: the list, one with its card, promotion and the way back.

import type { ComponentType, JSX } from "preact";
import { useEffect, useState } from "preact/hooks";

import { api } from "../api/client";
import type { ModelDetail, ModelView } from "../api/types";
import { link } from "../lib/route";
import { number } from "../lib/format";
import { useData } from "../lib/use";
import { Badge, Data, Empty, Loading, Notice, Table, Time } from "../parts/basics";
import { refusal, useShell } from "../parts/context";
import { Ask, Confirm } from "../parts/dialog";

export function Models(): JSX.Element {
  const loaded = useData("models", () => api.models(), 15);
  const champion = loaded.data?.find((model) => model.champion) ?? null;
  return (
    <>
      <div class="title">
        <h1 tabIndex={-1}>Models</h1>
        <RollBack champion={champion} reload={loaded.reload} />
      </div>
      <Data loaded={loaded} everyS={15} lines={6}>
        {(models) =>
          models.length === 0 ? (
            <Empty title="No checkpoint yet.">
              The DAG kitwai_train makes one; until then the forecast decides.
            </Empty>
          ) : (
            <section class="panel" aria-label="Checkpoints">
              <Table
                caption="Checkpoints"
                class="stack"
                head={[
                  "Version",
                  "Made",
                  "Parent",
                  "Decides",
                  "Recurring: hits / cost",
                  "New",
                  "Disturbed",
                  "",
                ]}
              >
                {models.map((model) => (
                  <Row key={model.version} model={model} reload={loaded.reload} />
                ))}
              </Table>
              <p class="hint">
                Hits: share of feasible limits that were met. Cost: times that of the best constant
                worker count.
              </p>
            </section>
          )
        }
      </Data>
    </>
  );
}

function Row({ model, reload }: { model: ModelView; reload: () => void }): JSX.Element {
  return (
    <tr>
      <th scope="row" data-label="Version">
        <a href={link.model(model.version)}>{model.version}</a>{" "}
        {model.champion && <Badge tone="good">champion</Badge>}
        {model.error && (
          <Badge tone="bad" title={model.error}>
            cannot be used
          </Badge>
        )}
      </th>
      <td data-label="Made">{made(model)}</td>
      <td data-label="Parent">
        {model.parent ? <a href={link.model(model.parent)}>{model.parent}</a> : "–"}
      </td>
      <td data-label="Decides" class="words">
        {decides(model)}
      </td>
      {["recurring", "new", "disturbed"].map((regime) => (
        <td key={regime} data-label={regime}>
          {figures(model, regime)}
        </td>
      ))}
      <td class="row-actions">
        {!model.champion && !model.error && <Promote version={model.version} reload={reload} />}
      </td>
    </tr>
  );
}

function made(model: ModelView): JSX.Element | string {
  const at = model.created === null ? NaN : Date.parse(model.created) / 1000;
  return Number.isFinite(at) ? <Time at={at} now={0} seconds={false} /> : (model.created ?? "–");
}

/** Whether its network is trusted to decide, or leaves it to the forecast. */
function decides(model: ModelView): string {
  const trusted = Object.entries(model.trusted);
  if (trusted.length === 0) return "–";
  const yes = trusted.filter(([, trust]) => trust).map(([name]) => name);
  if (yes.length === 0) return "the forecast; the network abstains";
  return yes.length === trusted.length
    ? "the network"
    : `the network where ${yes.join(", ")}, else the forecast`;
}

function figures(model: ModelView, regime: string): string {
  const table = model.metrics[regime] as Record<string, Record<string, number>> | undefined;
  const network = Object.values(model.trusted).some(Boolean);
  // Old manifests call the forecast "analytic".
  const row = network ? table?.network : (table?.forecast ?? table?.analytic);
  if (!row) return "–";
  return `${number(row.hit_rate, 3)} / ${number(row.static_ratio, 2)}`;
}

function Promote({ version, reload }: { version: string; reload: () => void }): JSX.Element {
  const { me, say } = useShell();
  return (
    <Ask label="Promote …" class="small" refusal={refusal(me, "promote")}>
      {(close) => (
        <Confirm
          title={`Promote ${version}`}
          says={`From the next step on ${version} decides for every cluster. The champion before it stays and can be restored by rolling back.`}
          confirm="Promote"
          act={() => api.promote(version)}
          done={() => {
            say(`${version} is champion.`);
            reload();
          }}
          close={close}
        />
      )}
    </Ask>
  );
}

function RollBack({
  champion,
  reload,
}: {
  champion: ModelView | null;
  reload: () => void;
}): JSX.Element {
  const { me, say } = useShell();
  return (
    <Ask label="Roll back …" refusal={refusal(me, "promote")}>
      {(close) => (
        <Confirm
          title="Roll back"
          says={`The champion${champion ? ` ${champion.version}` : ""} steps down, and the one that was champion before it decides again for every cluster, from the next step on.`}
          confirm="Roll back"
          danger
          act={async () => say(`${(await api.rollback()).champion} is champion again.`)}
          done={reload}
          close={close}
        />
      )}
    </Ask>
  );
}

export function Model({ version }: { version: string }): JSX.Element {
  const loaded = useData(`model/${version}`, () => api.model(version), 0);
  return (
    <>
      <div class="title">
        <p class="crumbs">
          <a href={link.models()}>Models</a>
        </p>
        <h1 tabIndex={-1}>{version}</h1>
        {loaded.data && !loaded.data.champion && !loaded.data.error && (
          <Promote version={version} reload={loaded.reload} />
        )}
      </div>
      <Data loaded={loaded} lines={10}>
        {(model) => (
          <>
            {model.error && (
              <Notice tone="bad" title="This checkpoint cannot be used.">
                {model.error}
              </Notice>
            )}
            <section class="panel" aria-label="Model card">
              <p class="badges">
                {model.champion && <Badge tone="good">champion</Badge>}
                <Badge>{`decides: ${decides(model)}`}</Badge>
              </p>
              <Card model={model} />
            </section>
          </>
        )}
      </Data>
    </>
  );
}

type Renderer = ComponentType<{ text: string; picture: (name: string) => string | null }>;

function Card({ model }: { model: ModelDetail }): JSX.Element {
  const [Markdown, setMarkdown] = useState<Renderer | null>(null);
  useEffect(() => {
    // Only this view needs it.
    void import("../parts/markdown").then((module) => setMarkdown(() => module.default));
  }, []);
  if (model.card === null) return <Empty title="This checkpoint has no card." />;
  if (Markdown === null) return <Loading lines={8} />;
  return (
    <Markdown
      text={model.card}
      picture={(name) => (model.pictures.includes(name) ? api.picture(model.version, name) : null)}
    />
  );
}
