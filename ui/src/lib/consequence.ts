// What a change will bring, said before it is made.

import type { ApprovalView, ClusterView, ControlName, ControlView } from "../api/types";
import { clock, count, duration } from "./format";

export const MODE_MEANING: Record<string, string> = {
  suggest: "Kitwai decides and writes down why, but touches nothing.",
  approve:
    "Kitwai asks before it adds or removes workers; a person approves or rejects each change.",
  auto: "Kitwai adds and removes workers by itself.",
};

/** One plain sentence or two about what setting `name` on the cluster does. */
export function consequence(
  cluster: Pick<ClusterView, "cluster" | "present" | "mode">,
  name: ControlName,
  value: string | number | null,
  until: number | null,
  now: number,
): string {
  const end =
    until === null
      ? "until it is changed again"
      : `until ${clock(until, now, false)} (for ${duration(until - now)})`;
  const connection = `what the connection of ${cluster.cluster} says counts again`;
  if (name === "mode") {
    if (value === null) return `The mode is lifted: ${connection}.`;
    return `${MODE_MEANING[String(value)] ?? ""} This holds from the next step on, ${end}.`.trim();
  }
  if (name === "pause") {
    if (value === null)
      return "The pause ends: from the next step on Kitwai acts again as its mode says.";
    return `No worker is added or removed ${end}. Decisions go on being made and written down. Workers that are draining already still leave.`;
  }
  if (name === "pin") {
    if (value === null)
      return "The pin ends: from the next step on the policy names the target again.";
    return `${pinned(cluster, Number(value))} ${capital(end)} the policy's target does not count, not even when a limit is in danger.`;
  }
  if (name === "max_workers") {
    if (value === null) return `The limit of workers is lifted: ${connection}.`;
    return `${fewer(cluster, Number(value))}No target is above ${count(Number(value), "worker")} ${end}.`;
  }
  if (value === null) return `The time limit is lifted: ${connection}.`;
  return `Applications that name no limit of their own are to end within ${String(value)} of their start, ${end}. An application's own limit stays.`;
}

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

function pinned(cluster: Pick<ClusterView, "present" | "mode">, target: number): string {
  const goal = count(target, "worker");
  if (cluster.mode === "suggest")
    return `The cluster's mode is suggest: the target is set to ${goal}, but nothing is touched.`;
  if (cluster.present === null) return `The cluster is brought to ${goal}.`;
  const change = target - cluster.present;
  if (change === 0) return `The cluster stays at ${goal}.`;
  const how =
    change > 0
      ? `${count(change, "worker")} more ${change === 1 ? "is" : "are"} started`
      : `${count(-change, "worker")} ${change === -1 ? "is" : "are"} drained and removed`;
  return `The cluster is brought from ${cluster.present} to ${goal}: ${how}.`;
}

function fewer(cluster: Pick<ClusterView, "present" | "mode">, most: number): string {
  const over = (cluster.present ?? 0) - most;
  if (over <= 0 || cluster.mode === "suggest") return "";
  return `${count(over, "worker")} above it ${over === 1 ? "is" : "are"} drained and removed. `;
}

/** What approving or rejecting a waiting decision does. */
export function approvalConsequence(
  approval: ApprovalView,
  answer: "approved" | "rejected",
): string {
  const { present, target } = approval;
  if (answer === "rejected") {
    return `Nothing is touched${present === null ? "" : `: the cluster stays at ${count(present, "worker")}`}. The next decision may ask again.`;
  }
  if (present === null || target === null) return "The decision is carried out.";
  const change = target - present;
  if (change >= 0)
    return `${count(change, "worker")} more ${change === 1 ? "is" : "are"} started: ${present} → ${target}.`;
  return `${count(-change, "worker")} ${change === -1 ? "is" : "are"} drained and removed: ${present} → ${target}.`;
}

/** What is set and not over. Also what cannot be used, and is not in force: it can be lifted. */
export function standing(
  cluster: Pick<ClusterView, "controls">,
  name: ControlName,
  now: number,
): ControlView | null {
  const found = cluster.controls.find((one) => one.name === name);
  if (!found || found.value === null) return null;
  return found.until === null || found.until > now ? found : null;
}

/** A control's value in words. */
export function controlValue(name: string, value: string | number | null): string {
  if (value === null) return "lifted";
  if (name === "pin" || name === "max_workers") return count(Number(value), "worker");
  return String(value);
}

export const CONTROL_WORD: Record<string, string> = {
  mode: "Mode",
  pause: "Pause",
  pin: "Pinned target",
  max_workers: "Most workers (N)",
  limit: "Time limit (T)",
};
