// The overview: every cluster, most in need of a look first.

import type { JSX } from "preact";

import { api } from "../api/client";
import type { ClusterView } from "../api/types";
import { risk } from "../lib/format";
import { link } from "../lib/route";
import { useData } from "../lib/use";
import { Approval } from "../parts/approval";
import { Data, Empty } from "../parts/basics";
import { Applications, Badges, Footer, Troubles, Workers } from "../parts/cluster";

const REFRESH_S = 3;

export function Clusters(): JSX.Element {
  const loaded = useData("clusters", () => api.clusters(), REFRESH_S);
  return (
    <>
      <div class="title">
        <h1 tabIndex={-1}>Clusters</h1>
      </div>
      <Data loaded={loaded} everyS={REFRESH_S} lines={6}>
        {(clusters) =>
          clusters.length === 0 ? (
            <Empty title="No cluster yet.">
              Add an Airflow connection of type spark_cluster and name it in
              AIRFLOW__KITWAI__CLUSTERS.
            </Empty>
          ) : (
            <div class="cards">
              {[...clusters].sort(byNeed).map((cluster) => (
                <Card key={cluster.cluster} cluster={cluster} reload={loaded.reload} />
              ))}
            </div>
          )
        }
      </Data>
    </>
  );
}

function Card({ cluster, reload }: { cluster: ClusterView; reload: () => void }): JSX.Element {
  return (
    <article class="panel card" aria-label={`Cluster ${cluster.cluster}`}>
      <div class="card-head">
        <h2>
          <a href={link.cluster(cluster.cluster)}>{cluster.cluster}</a>
        </h2>
        <Badges cluster={cluster} />
      </div>
      <Troubles cluster={cluster} />
      {cluster.approval && (
        <Approval approval={cluster.approval} shown={cluster.reason} reload={reload} />
      )}
      {!cluster.error && (
        <>
          <div class="card-body">
            <Workers cluster={cluster} />
            <div class="card-main">
              <p class="reason">{cluster.reason ?? "No decision has been made yet."}</p>
              <Applications cluster={cluster} />
            </div>
          </div>
          <Footer cluster={cluster} />
        </>
      )}
    </article>
  );
}

/** Waiting for a person, broken or late first; then by name. */
function byNeed(a: ClusterView, b: ClusterView): number {
  return need(b) - need(a) || a.cluster.localeCompare(b.cluster);
}

function need(cluster: ClusterView): number {
  if (cluster.approval && cluster.approval.answer === null) return 4;
  if (
    cluster.applications?.some(
      (app) => risk(app.finish_s, app.limit_s, app.miss_probability) === "late",
    )
  )
    return 3;
  if (cluster.error || cluster.fallback) return 2;
  return Object.keys(cluster.missing).length > 0 ? 1 : 0;
}
