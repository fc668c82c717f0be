// Confirmation: a modal dialog that says what will happen and shows a refusal in its sentence.

import type { ComponentChildren, JSX } from "preact";
import { useEffect, useId, useRef, useState } from "preact/hooks";

import { ApiError } from "../api/client";

export interface ConfirmProps {
  title: string;
  /** What will happen. */
  says: ComponentChildren;
  confirm: string;
  danger?: boolean;
  /** Why it cannot be confirmed as it stands. */
  wrong?: string | null;
  act: () => Promise<unknown>;
  done: () => void;
  close: () => void;
  children?: ComponentChildren;
}

export function Confirm(props: ConfirmProps): JSX.Element {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<string | null>(null);

  useEffect(() => {
    const opener = document.activeElement;
    dialog.current?.showModal();
    return () => {
      if (opener instanceof HTMLElement && opener.isConnected) opener.focus();
    };
  }, []);

  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    if (busy || props.wrong) return;
    setBusy(true);
    setError(null);
    try {
      await props.act();
    } catch (failure) {
      setError(failure instanceof ApiError ? failure.message : String(failure));
      setBusy(false);
      return;
    }
    props.done();
    props.close();
  };

  return (
    <dialog
      ref={dialog}
      aria-labelledby={`${id}-title`}
      aria-describedby={`${id}-says`}
      onClose={props.close}
    >
      <form onSubmit={submit}>
        <h2 id={`${id}-title`}>{props.title}</h2>
        {props.children}
        <div id={`${id}-says`} class="says" aria-live="polite">
          <span class="label">What will happen</span>
          <p>{props.wrong ?? props.says}</p>
        </div>
        {error && (
          <div class="notice bad" role="alert">
            {error}
          </div>
        )}
        <div class="actions">
          <button type="button" onClick={() => dialog.current?.close()}>
            Cancel
          </button>
          <button
            type="submit"
            class={props.danger ? "danger" : "primary"}
            disabled={busy || Boolean(props.wrong)}
          >
            {busy ? "Sending …" : props.confirm}
          </button>
        </div>
      </form>
    </dialog>
  );
}

/** A button that opens a dialog, or says why it does not. */
export function Ask({
  label,
  refusal,
  class: name = "",
  pressed,
  children,
}: {
  label: ComponentChildren;
  refusal: string | null;
  class?: string;
  pressed?: boolean;
  children: (close: () => void) => ComponentChildren;
}): JSX.Element {
  const [open, setOpen] = useState(false);
  return (
    <>
      <button
        type="button"
        class={name}
        aria-pressed={pressed}
        aria-disabled={refusal !== null || undefined}
        title={refusal ?? undefined}
        onClick={() => refusal === null && !pressed && setOpen(true)}
      >
        {label}
      </button>
      {open && children(() => setOpen(false))}
    </>
  );
}
