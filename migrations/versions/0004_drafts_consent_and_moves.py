"""Drafts, a second analyst's consent, and moving live instances to another version."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_NAMES = {"uq": "%(table_name)s_%(column_0_N_name)s_key"}
"""What PostgreSQL calls a constraint without a name of its own; SQLite is told to call it so too."""


def upgrade() -> None:
    with op.batch_alter_table("process_version", schema=None, naming_convention=_NAMES) as batch_op:
        batch_op.add_column(sa.Column("state", sa.String(length=16), nullable=False, server_default="deployed"))
        batch_op.add_column(sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("answer", sa.Text(), nullable=False, server_default=""))
        batch_op.drop_constraint("process_version_key_content_hash_key", type_="unique")  # going back repeats a content
    with op.batch_alter_table("process_version", schema=None) as batch_op:
        batch_op.alter_column("state", server_default=None)
        batch_op.alter_column("answer", server_default=None)
    op.create_table(
        "draft",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("key", sa.String(length=80), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("base_version", sa.Integer(), nullable=True),
        sa.Column("bundle", sa.LargeBinary(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("version", sa.Integer(), nullable=True),
        sa.Column("created_by", sa.String(length=80), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_by", sa.String(length=80), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("editors", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("draft_by_state", "draft", ["state", "updated_at"], unique=False)
    op.create_table(
        "migration",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=80), nullable=False),
        sa.Column("version_id", sa.Integer(), nullable=False),
        sa.Column("actor", sa.String(length=80), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["version_id"], ["process_version.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "migration_item",
        sa.Column("migration_id", sa.Integer(), nullable=False),
        sa.Column("instance_id", sa.String(length=36), nullable=False),
        sa.Column("business_key", sa.String(length=80), nullable=False),
        sa.Column("from_version", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["instance_id"], ["instance.id"]),
        sa.ForeignKeyConstraint(["migration_id"], ["migration.id"]),
        sa.PrimaryKeyConstraint("migration_id", "instance_id"),
    )
    op.create_index("migration_item_by_state", "migration_item", ["migration_id", "state"], unique=False)


def downgrade() -> None:
    op.drop_index("migration_item_by_state", "migration_item")
    op.drop_table("migration_item")
    op.drop_table("migration")
    op.drop_index("draft_by_state", "draft")
    op.drop_table("draft")
    with op.batch_alter_table("process_version", schema=None) as batch_op:
        batch_op.create_unique_constraint("process_version_key_content_hash_key", ["key", "content_hash"])
        batch_op.drop_column("answer")
        batch_op.drop_column("answered_at")
        batch_op.drop_column("state")
