"""Delegations, alarms, and what a signature says."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_NAMES = {"uq": "%(table_name)s_%(column_0_N_name)s_key"}
"""What PostgreSQL calls a constraint without a name of its own; SQLite is told to call it so too."""
_COUNTS = sa.text("void_at IS NULL")
_OPEN = sa.text("acknowledged_at IS NULL")


def upgrade() -> None:
    with op.batch_alter_table("signature", schema=None, naming_convention=_NAMES) as batch_op:
        batch_op.add_column(sa.Column("printed_name", sa.String(length=120), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("meaning", sa.Text(), nullable=False, server_default=""))
        # until now nobody could sign with anything else
        batch_op.add_column(sa.Column("proof", sa.String(length=40), nullable=False, server_default="password"))
        batch_op.add_column(sa.Column("on_behalf_of", sa.String(length=80), nullable=True))
        batch_op.add_column(sa.Column("emergency", sa.Boolean(), nullable=False, server_default=sa.false()))
        batch_op.add_column(sa.Column("void_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("void_why", sa.Text(), nullable=True))
        batch_op.drop_constraint("signature_task_id_actor_key", type_="unique")  # a void one may be given anew
    with op.batch_alter_table("signature", schema=None) as batch_op:
        for name in ("printed_name", "meaning", "proof", "emergency"):
            batch_op.alter_column(name, server_default=None)
    op.create_index("signature_one_each", "signature", ["task_id", "actor"], unique=True, sqlite_where=_COUNTS,
                    postgresql_where=_COUNTS)
    op.create_table(
        "delegation",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("principal", sa.String(length=80), nullable=False),
        sa.Column("delegate", sa.String(length=80), nullable=False),
        sa.Column("team", sa.String(length=80), nullable=False),
        sa.Column("gates", sa.Text(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("made_by", sa.String(length=80), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_by", sa.String(length=80), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_delegation_principal", "delegation", ["principal"], unique=False)
    op.create_index("ix_delegation_delegate", "delegation", ["delegate"], unique=False)
    op.create_table(
        "alarm",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("instance_id", sa.String(length=36), nullable=False),
        sa.Column("business_key", sa.String(length=80), nullable=False),
        sa.Column("task_id", sa.String(length=36), nullable=False),
        sa.Column("element", sa.String(length=120), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("team", sa.String(length=80), nullable=False),
        sa.Column("raised_by", sa.String(length=80), nullable=False),
        sa.Column("raised_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("acknowledged_by", sa.String(length=80), nullable=True),
        sa.Column("acknowledged_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["instance_id"], ["instance.id"]),
        sa.ForeignKeyConstraint(["task_id"], ["task.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_alarm_instance_id", "alarm", ["instance_id"], unique=False)
    op.create_index("alarm_open", "alarm", ["raised_at"], unique=False, sqlite_where=_OPEN, postgresql_where=_OPEN)


def downgrade() -> None:
    op.drop_index("alarm_open", "alarm")
    op.drop_index("ix_alarm_instance_id", "alarm")
    op.drop_table("alarm")
    op.drop_index("ix_delegation_delegate", "delegation")
    op.drop_index("ix_delegation_principal", "delegation")
    op.drop_table("delegation")
    op.drop_index("signature_one_each", "signature")
    op.execute("DELETE FROM signature WHERE void_at IS NOT NULL")  # the tables before know no void signature
    with op.batch_alter_table("signature", schema=None) as batch_op:
        batch_op.create_unique_constraint("signature_task_id_actor_key", ["task_id", "actor"])
        for name in ("void_why", "void_at", "emergency", "on_behalf_of", "proof", "meaning", "printed_name"):
            batch_op.drop_column(name)
