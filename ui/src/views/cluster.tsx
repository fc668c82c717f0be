// One cluster: what is there now, its controls, its timeline; history, record and replay as tabs.

import type { JSX } from "preact";

import { api } from "../api/client";
import { CLUSTER_TABS, link, type ClusterTab } from "../lib/route";
import { useData } from "../lib/use";
import { Approval } from "../parts/approval";
import { Data } from "../parts/basics";
import { Applications, Badges, Footer, Troubles, Workers } from "../parts/cluster";
import { Controls } from "../parts/controls";
import { Timeline } from "../parts/timeline";
import { ControlRecord } from "./controls";
import { History } from "./history";
import { ReplayAndShadow } from "./replay";

const REFRESH_S = 3;

const TAB_WORD: Record<ClusterTab, string> = {
  live: "Live",
  history: "History",
  controls: "Record of controls",
  replay: "Replay and shadow",
};

export function Cluster({
  name,
  tab,
  query,
}: {
  name: string;
  tab: ClusterTab;
  query: URLSearchParams;
}): JSX.Element {
  return (
    <>
      <div class="title">
        <p class="crumbs">
          <a href={link.clusters()}>Clusters</a>
        </p>
        <h1 tabIndex={-1}>{name}</h1>
      </div>
      <nav class="tabs" aria-label={`Cluster ${name}`}>
        {CLUSTER_TABS.map((one) => (
          <a
            key={one}
            href={link.cluster(name, one)}
            aria-current={one === tab ? "page" : undefined}
          >
            {TAB_WORD[one]}
          </a>
        ))}
      </nav>
      {tab === "live" && <Live name={name} />}
      {tab === "history" && <History cluster={name} query={query} />}
      {tab === "controls" && <ControlRecord cluster={name} />}
      {tab === "replay" && <ReplayAndShadow cluster={name} />}
    </>
  );
}

function Live({ name }: { name: string }): JSX.Element {
  const loaded = useData(`cluster/${name}`, () => api.cluster(name), REFRESH_S);
  return (
    <>
      <Data loaded={loaded} everyS={REFRESH_S} lines={6}>
        {(cluster) => (
          <>
            {cluster.approval && (
              <Approval approval={cluster.approval} shown={cluster.reason} reload={loaded.reload} />
            )}
            <div class="split">
              <section class="panel" aria-labelledby="now-title">
                <div class="panel-head">
                  <h2 id="now-title">Now</h2>
                  <Badges cluster={cluster} />
                </div>
                <Troubles cluster={cluster} />
                {!cluster.error && (
                  <>
                    <div class="now">
                      <Workers cluster={cluster} />
                      <p class="reason" aria-live="polite">
                        {cluster.reason ?? "No decision has been made yet."}
                      </p>
                    </div>
                    <Applications cluster={cluster} />
                    <Footer cluster={cluster} />
                  </>
                )}
              </section>
              <Controls cluster={cluster} reload={loaded.reload} />
            </div>
          </>
        )}
      </Data>
      <Timeline cluster={name} />
    </>
  );
}
