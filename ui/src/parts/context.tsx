// What every view may need: who looks at the page, and a voice.

import { createContext } from "preact";
import { useContext } from "preact/hooks";

import type { Me } from "../api/types";

export interface Shell {
  me: Me | null;
  /** Says a change, to the eye and to screen readers. */
  say: (sentence: string) => void;
  /** Counts up when the theme changes, so that canvases are drawn anew. */
  theme: number;
}

export const ShellContext = createContext<Shell>({ me: null, say: () => undefined, theme: 0 });

export const useShell = (): Shell => useContext(ShellContext);

/** Why the viewer may not do it, null if they may. */
export function refusal(me: Me | null, what: "change" | "answer" | "promote"): string | null {
  if (me === null) return "Who you are is not known yet.";
  if (what === "change" && !me.may_change)
    return "You may look, but not change: your role in Airflow may not edit this.";
  if (what === "answer" && !me.may_answer)
    return "You may look, but not answer: your role in Airflow may not.";
  if (what === "promote" && !me.may_promote)
    return "You may look, but not promote or roll back: your role in Airflow may not.";
  return null;
}
