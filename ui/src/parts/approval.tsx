// A decision that waits for a person.

import type { JSX } from "preact";
import { useState } from "preact/hooks";

import { api } from "../api/client";
import type { ApprovalAnswer, ApprovalView } from "../api/types";
import { approvalConsequence } from "../lib/consequence";
import { duration } from "../lib/format";
import { link } from "../lib/route";
import { useNow } from "../lib/use";
import { refusal, useShell } from "./context";
import { Ask, Confirm } from "./dialog";

export function Approval({
  approval,
  shown,
  reload,
}: {
  approval: ApprovalView;
  shown?: string | null;
  reload: () => void;
}): JSX.Element | null {
  const { me, say } = useShell();
  const now = useNow();
  const [given, setGiven] = useState<(ApprovalAnswer & { id: number }) | null>(null);
  const no = refusal(me, "answer");
  if (approval.answer !== null || approval.expires_at <= now) return null;
  const change = `${approval.present ?? "?"} → ${approval.target ?? "?"} workers`;
  const dialog = (answer: "approved" | "rejected", close: () => void): JSX.Element => (
    <Confirm
      title={`${answer === "approved" ? "Approve" : "Reject"}: ${approval.cluster}, ${change}`}
      says={approvalConsequence(approval, answer)}
      confirm={answer === "approved" ? "Approve" : "Reject"}
      danger={answer === "rejected"}
      act={() => api.answer(approval.id, answer)}
      done={() => {
        setGiven({ id: approval.id, answer });
        say(`${approval.cluster}: ${change} ${answer}.`);
        reload();
      }}
      close={close}
    >
      <p>{approval.reason}</p>
    </Confirm>
  );
  // Airflow takes a moment to act on it; until then the API still lists the question.
  if (given?.id === approval.id) {
    return (
      <div class="notice info">
        <strong>{`${change} ${given.answer}.`}</strong> Airflow carries on with it.
      </div>
    );
  }
  return (
    <div
      class="notice info approval"
      role="group"
      aria-label={`Waiting for approval: ${approval.cluster}`}
    >
      <div>
        <strong>
          Waits for a person: <a href={link.decision(approval.decision_id)}>{change}</a>
        </strong>
        {approval.reason !== shown && <p>{approval.reason}</p>}
        <p class="hint">{`Expires in ${duration(approval.expires_at - now)}.`}</p>
      </div>
      <div class="actions">
        <Ask label="Reject …" refusal={no}>
          {(close) => dialog("rejected", close)}
        </Ask>
        <Ask label="Approve …" refusal={no} class="primary">
          {(close) => dialog("approved", close)}
        </Ask>
      </div>
    </div>
  );
}
