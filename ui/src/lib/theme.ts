// Light or dark: Airflow's own choice where the page lies in its frame, the system's otherwise.
// The answer stands as data-theme at the root element, which the style sheet reads.

export type Theme = "light" | "dark";

/** What Airflow's page says at its root element, null if it cannot be told. */
export function themeOf(
  root: { classList: { contains(name: string): boolean } } | null,
): Theme | null {
  if (root?.classList.contains("dark")) return "dark";
  return root?.classList.contains("light") ? "light" : null;
}

function airflowRoot(): HTMLElement | null {
  try {
    return window.parent === window ? null : window.parent.document.documentElement;
  } catch {
    // A frame of another origin: its page is none of ours.
    return null;
  }
}

/** Set the theme, and follow it; `changed` is called after each change. */
export function followTheme(changed: () => void): void {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const root = airflowRoot();
  const apply = (): void => {
    const theme = themeOf(root) ?? (system.matches ? "dark" : "light");
    if (document.documentElement.dataset.theme === theme) return;
    document.documentElement.dataset.theme = theme;
    changed();
  };
  apply();
  system.addEventListener("change", apply);
  if (root)
    new MutationObserver(apply).observe(root, { attributes: true, attributeFilter: ["class"] });
}

/** A colour of the style sheet, for what is drawn on a canvas. */
export function colour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}
