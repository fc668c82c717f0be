// The frame of the page: who looks, where they are, what was just said.

import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";

import { api } from "./api/client";
import { link, routeOf, type Route } from "./lib/route";
import { followTheme } from "./lib/theme";
import { useData } from "./lib/use";
import { Empty, Notice } from "./parts/basics";
import { ShellContext } from "./parts/context";
import { Cluster } from "./views/cluster";
import { Clusters } from "./views/clusters";
import { Decision } from "./views/decision";
import { Model, Models } from "./views/models";
import { Training } from "./views/training";

const SAID_MS = 6000;

export function App(): JSX.Element {
  const [route, setRoute] = useState<Route>(() => routeOf(location));
  const [theme, setTheme] = useState(0);
  const [said, setSaid] = useState("");
  const me = useData("me", () => api.me(), 0);
  const waiting = useData("approvals", () => api.approvals(), 10);
  const main = useRef<HTMLElement>(null);

  useEffect(() => followTheme(() => setTheme((old) => old + 1)), []);
  useEffect(() => {
    const moved = (): void => setRoute(routeOf(location));
    addEventListener("hashchange", moved);
    return () => removeEventListener("hashchange", moved);
  }, []);
  useEffect(() => {
    if (!said) return;
    const timer = setTimeout(() => setSaid(""), SAID_MS);
    return () => clearTimeout(timer);
  }, [said]);

  const page = pageOf(route);
  const first = useRef(true);
  useEffect(() => {
    document.title = `${page} · Kitwai`;
    if (first.current) first.current = false;
    else {
      // A new view begins at its heading, for the eye, the keyboard and screen readers.
      main.current?.querySelector<HTMLElement>("h1")?.focus({ preventScroll: true });
      scrollTo(0, 0);
    }
  }, [page]);

  const open = waiting.data?.items.length ?? 0;
  return (
    <ShellContext.Provider value={{ me: me.data, say: setSaid, theme }}>
      <a class="skip" href="#main" onClick={(event) => skip(event, main.current)}>
        Skip to content
      </a>
      <header class="top">
        <a class="brand" href={link.clusters()}>
          <Logo /> Kitwai
        </a>
        <nav aria-label="Kitwai">
          <Tab to={link.clusters()} here={["clusters", "cluster", "decision"].includes(route.view)}>
            Clusters
            {open > 0 && (
              <span class="count" aria-label={`, ${open} waiting for approval`}>
                {open}
              </span>
            )}
          </Tab>
          <Tab to={link.models()} here={route.view === "models" || route.view === "model"}>
            Models
          </Tab>
          <Tab to={link.training()} here={route.view === "training"}>
            Training
          </Tab>
        </nav>
        {me.data && (
          <span class="who">
            {me.data.name}
            {!me.data.may_change && " · may look, not change"}
          </span>
        )}
      </header>
      <main ref={main} id="main" tabIndex={-1}>
        {me.error && <Notice tone="bad">{me.error.message}</Notice>}
        <View route={route} />
      </main>
      <div class={`toast ${said ? "shown" : ""}`} role="status" aria-live="polite">
        {said}
      </div>
    </ShellContext.Provider>
  );
}

function View({ route }: { route: Route }): JSX.Element {
  switch (route.view) {
    case "clusters":
      return <Clusters />;
    case "cluster":
      return (
        <Cluster key={route.cluster} name={route.cluster} tab={route.tab} query={route.query} />
      );
    case "decision":
      return <Decision key={route.id} id={route.id} />;
    case "models":
      return <Models />;
    case "model":
      return <Model key={route.version} version={route.version} />;
    case "training":
      return <Training />;
    case "nowhere":
      return (
        <>
          <h1 tabIndex={-1}>Not here</h1>
          <Empty title="There is no such page.">
            <a href={link.clusters()}>To the clusters</a>
          </Empty>
        </>
      );
  }
}

function pageOf(route: Route): string {
  switch (route.view) {
    case "cluster":
      return route.tab === "live" ? route.cluster : `${route.cluster}, ${route.tab}`;
    case "decision":
      return `Decision ${route.id}`;
    case "model":
      return route.version;
    default:
      return route.view.charAt(0).toUpperCase() + route.view.slice(1);
  }
}

function Tab({
  to,
  here,
  children,
}: {
  to: string;
  here: boolean;
  children: unknown;
}): JSX.Element {
  return (
    <a href={to} aria-current={here ? "page" : undefined}>
      {children as JSX.Element}
    </a>
  );
}

function skip(event: Event, main: HTMLElement | null): void {
  // The address names the view; it must not change.
  event.preventDefault();
  main?.focus();
}

function Logo(): JSX.Element {
  return (
    <svg viewBox="0 0 32 32" width="18" height="18" aria-hidden="true">
      <rect x="3" y="18" width="6" height="11" rx="1.5" opacity="0.55" />
      <rect x="13" y="11" width="6" height="18" rx="1.5" opacity="0.78" />
      <rect x="23" y="3" width="6" height="26" rx="1.5" />
    </svg>
  );
}
