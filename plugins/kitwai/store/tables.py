"""The store's tables. A change here needs a migration in `kitwai.store.migrations`.

Every foreign key has an index, or each deletion would read the whole of the table that refers.
Bodies are the whole record as JSON; the columns beside them are what is searched for.
Moments are epoch seconds, as in the records.
"""

from __future__ import annotations

from sqlalchemy import JSON, Float, ForeignKey, Index, Integer, MetaData, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

MOST_ID = 2**31 - 1
"""The largest that every database holds in an Integer column."""


class Base(DeclarativeBase):
    """Carries the naming of constraints, so that migrations can name them on every database."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class ObservationRow(Base):
    """One `kitwai.core.records.observation.Observation`."""

    __tablename__ = "kitwai_observation"
    __table_args__ = (Index(None, "cluster", "at"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    cluster: Mapped[str] = mapped_column(String(250))
    at: Mapped[float] = mapped_column(Float(53))
    applications: Mapped[int | None] = mapped_column(Integer)
    body: Mapped[dict[str, object]] = mapped_column(JSON)


class DecisionRow(Base):
    """One `kitwai.core.records.decision.Decision`, made from one observation."""

    __tablename__ = "kitwai_decision"
    __table_args__ = (
        # Bodies are kilobytes: what timelines ask of thousands of rows is in the index itself.
        Index(None, "cluster", "at", "id", "present", "target"),
        Index(None, "cluster", "id"),
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    observation_id: Mapped[int] = mapped_column(ForeignKey("kitwai_observation.id"), index=True)
    cluster: Mapped[str] = mapped_column(String(250))
    at: Mapped[float] = mapped_column(Float(53))
    mode: Mapped[str] = mapped_column(String(20))
    present: Mapped[int | None] = mapped_column(Integer)
    target: Mapped[int | None] = mapped_column(Integer)
    checkpoint: Mapped[str | None] = mapped_column(String(100))
    reason: Mapped[str] = mapped_column(Text)
    settings: Mapped[dict[str, object]] = mapped_column(JSON)
    body: Mapped[dict[str, object]] = mapped_column(JSON)


class ScalingRow(Base):
    """One attempt to carry a decision out. ``ended_at`` None: under way, or its process died."""

    __tablename__ = "kitwai_scaling"
    __table_args__ = (Index(None, "cluster", "started_at"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    decision_id: Mapped[int | None] = mapped_column(ForeignKey("kitwai_decision.id"), index=True)
    cluster: Mapped[str] = mapped_column(String(250))
    started_at: Mapped[float] = mapped_column(Float(53))
    ended_at: Mapped[float | None] = mapped_column(Float(53))
    target: Mapped[int] = mapped_column(Integer)
    started: Mapped[int] = mapped_column(Integer, default=0)
    removed: Mapped[int] = mapped_column(Integer, default=0)
    body: Mapped[dict[str, object] | None] = mapped_column(JSON)


class LeaseRow(Base):
    """Who may scale a cluster, and until when. One row a cluster, never deleted."""

    __tablename__ = "kitwai_lease"

    cluster: Mapped[str] = mapped_column(String(250), primary_key=True)
    holder: Mapped[str] = mapped_column(String(500))
    expires_at: Mapped[float] = mapped_column(Float(53))


class EventLogRow(Base):
    """One Spark event log as it was read last: its application's profile, or why there is none.

    ``fingerprint`` tells whether the file has changed since; times are epoch seconds.
    """

    __tablename__ = "kitwai_event_log"

    source: Mapped[str] = mapped_column(String(700), primary_key=True)
    fingerprint: Mapped[str] = mapped_column(String(250))
    read_at: Mapped[float] = mapped_column(Float(53))
    app: Mapped[str | None] = mapped_column(String(250))
    family: Mapped[str | None] = mapped_column(Text)
    started_at: Mapped[float | None] = mapped_column(Float(53))
    ended_at: Mapped[float | None] = mapped_column(Float(53), index=True)
    profile: Mapped[dict[str, object] | None] = mapped_column(JSON(none_as_null=True))
    reason: Mapped[str | None] = mapped_column(Text)


class VerdictRow(Base):
    """What became of a version that was put before the gate, or moved by hand.

    ``verdict`` is "promoted", "refused", "kept" (it is the champion already) or "rolled back";
    ``champion`` the version in use before; ``run_id`` the DAG's id, a slash and its run's id.
    """

    __tablename__ = "kitwai_verdict"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    at: Mapped[float] = mapped_column(Float(53), index=True)
    run_id: Mapped[str | None] = mapped_column(String(500), index=True)
    version: Mapped[str] = mapped_column(String(100))
    champion: Mapped[str | None] = mapped_column(String(100))
    verdict: Mapped[str] = mapped_column(String(20))
    reason: Mapped[str] = mapped_column(Text)
    body: Mapped[dict[str, object] | None] = mapped_column(JSON(none_as_null=True))


class ControlRow(Base):
    """What a person set on a cluster, and when. Rows are only added: they are the record too.

    ``name`` is one of `kitwai.core.records.overrides.NAMES`; the newest row of a name counts until
    ``until`` (None: until it is lifted). ``value`` None lifts what was set before.
    """

    __tablename__ = "kitwai_control"
    __table_args__ = (Index(None, "cluster", "at"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    cluster: Mapped[str] = mapped_column(String(250))
    at: Mapped[float] = mapped_column(Float(53))
    by: Mapped[str] = mapped_column(String(250))
    name: Mapped[str] = mapped_column(String(20))
    value: Mapped[object | None] = mapped_column(JSON(none_as_null=True), nullable=True)
    until: Mapped[float | None] = mapped_column(Float(53))


class ApprovalRow(Base):
    """A decision that waits, or waited, for a person. One open row a cluster at most.

    ``run_id`` names the run that asks. ``answer`` None: open; "approved", "rejected", "timed out"
    or "superseded"; ``answered_by`` None where no person answered.
    """

    __tablename__ = "kitwai_approval"
    __table_args__ = (Index(None, "cluster", "asked_at"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    decision_id: Mapped[int] = mapped_column(ForeignKey("kitwai_decision.id"), index=True)
    cluster: Mapped[str] = mapped_column(String(250))
    asked_at: Mapped[float] = mapped_column(Float(53))
    expires_at: Mapped[float] = mapped_column(Float(53))
    run_id: Mapped[str | None] = mapped_column(String(250))
    answer: Mapped[str | None] = mapped_column(String(20))
    answered_at: Mapped[float | None] = mapped_column(Float(53))
    answered_by: Mapped[str | None] = mapped_column(String(250))


class ShadowRow(Base):
    """What a challenger would have decided on an observation; nothing acts on it."""

    __tablename__ = "kitwai_shadow"
    __table_args__ = (Index(None, "cluster", "at"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    observation_id: Mapped[int] = mapped_column(ForeignKey("kitwai_observation.id"), index=True)
    cluster: Mapped[str] = mapped_column(String(250))
    at: Mapped[float] = mapped_column(Float(53))
    checkpoint: Mapped[str] = mapped_column(String(100))
    target: Mapped[int | None] = mapped_column(Integer)
    body: Mapped[dict[str, object]] = mapped_column(JSON)
