// A list that comes in pages, newest first: the first as it is given, the rest on demand.

import type { ComponentChildren, JSX } from "preact";
import { useEffect, useState } from "preact/hooks";

import type { Page } from "../api/types";
import { Notice } from "./basics";

export function Pages<Item>({
  first,
  more,
  children,
}: {
  first: Page<Item>;
  more: (before: number) => Promise<Page<Item>>;
  children: (items: Item[]) => ComponentChildren;
}): JSX.Element {
  const [behind, setBehind] = useState<Page<Item>[]>([]);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<string | null>(null);
  useEffect(() => setBehind([]), [first]);
  const next = (behind.at(-1) ?? first).next;

  const load = async (): Promise<void> => {
    if (next === null || busy) return;
    setBusy(true);
    setError(null);
    try {
      const page = await more(next);
      setBehind((old) => [...old, page]);
    } catch (failure) {
      setError((failure as Error).message);
    }
    setBusy(false);
  };
  return (
    <>
      {children([first, ...behind].flatMap((page) => page.items))}
      {error && <Notice tone="bad">{error}</Notice>}
      {next !== null && (
        <p class="more">
          <button type="button" onClick={load} disabled={busy}>
            {busy ? "Loading …" : "Show more"}
          </button>
        </p>
      )}
    </>
  );
}
