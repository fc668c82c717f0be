// Hooks: data that is asked for again and again, the present moment, what the browser does.

import { useCallback, useEffect, useRef, useState } from "preact/hooks";

import { ApiError } from "../api/client";

export interface Loaded<Data> {
  /** The newest answer, null before the first. */
  data: Data | null;
  /** Why the newest try failed, null if it did not. */
  error: ApiError | null;
  /** When the newest answer came, epoch seconds. */
  at: number | null;
  reload: () => void;
}

/**
 * Ask now and every `everyS` seconds (0: once), not while the page is hidden. A new `key` throws
 * away what the old one brought; an answer that comes after that is dropped.
 */
export function useData<Data>(
  key: string,
  load: (before: Data | null) => Promise<Data>,
  everyS: number,
): Loaded<Data> {
  const [state, setState] = useState<Omit<Loaded<Data>, "reload"> & { key: string }>({
    key,
    data: null,
    error: null,
    at: null,
  });
  const newest = useRef<{ key: string; data: Data | null }>({ key, data: null });
  const loading = useRef(load);
  loading.current = load;
  const [turn, setTurn] = useState(0);

  useEffect(() => {
    let over = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    if (newest.current.key !== key) newest.current = { key, data: null };

    const run = async (): Promise<void> => {
      clearTimeout(timer);
      try {
        const data = await loading.current(newest.current.data);
        if (over) return;
        newest.current = { key, data };
        setState({ key, data, error: null, at: Date.now() / 1000 });
      } catch (error) {
        if (over) return;
        const reason = error instanceof ApiError ? error : new ApiError(0, String(error));
        setState((old) => ({
          ...(old.key === key ? old : { key, data: null, at: null }),
          error: reason,
        }));
      }
      if (everyS > 0 && !document.hidden) timer = setTimeout(run, everyS * 1000);
    };
    const seen = (): void => {
      if (!document.hidden && everyS > 0) void run();
      else clearTimeout(timer);
    };
    void run();
    document.addEventListener("visibilitychange", seen);
    return () => {
      over = true;
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", seen);
    };
  }, [key, everyS, turn]);

  const reload = useCallback(() => setTurn((old) => old + 1), []);
  return state.key === key ? { ...state, reload } : { data: null, error: null, at: null, reload };
}

/** The present moment in epoch seconds, once a second. */
export function useNow(everyS = 1): number {
  const [now, setNow] = useState(Date.now() / 1000);
  useEffect(() => {
    const timer = setInterval(() => {
      if (!document.hidden) setNow(Date.now() / 1000);
    }, everyS * 1000);
    return () => clearInterval(timer);
  }, [everyS]);
  return now;
}
