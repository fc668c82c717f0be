"""From an observation to a decision: applications, cluster, guardrails, and the scaling plan."""
