"""Questions between teams."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_OPEN = sa.text("state = 'open'")
_UNREAD = sa.text("state = 'answered' AND read_at IS NULL")


def upgrade() -> None:
    op.create_table(
        "question",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("instance_id", sa.String(length=36), nullable=False),
        sa.Column("business_key", sa.String(length=80), nullable=False),
        sa.Column("task_id", sa.String(length=36), nullable=True),
        sa.Column("asked_by", sa.String(length=80), nullable=False),
        sa.Column("from_team", sa.String(length=80), nullable=False),
        sa.Column("to_team", sa.String(length=80), nullable=False),
        sa.Column("to_person", sa.String(length=80), nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("answered_by", sa.String(length=80), nullable=True),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["instance_id"], ["instance.id"]),
        sa.ForeignKeyConstraint(["task_id"], ["task.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("question_open", "question", ["to_team", "asked_at"], unique=False,
                    sqlite_where=_OPEN, postgresql_where=_OPEN)  # fmt: skip
    op.create_index("question_unread", "question", ["asked_by"], unique=False,
                    sqlite_where=_UNREAD, postgresql_where=_UNREAD)  # fmt: skip
    op.create_index("question_by_order", "question", ["business_key", "asked_at"], unique=False)


def downgrade() -> None:
    op.drop_index("question_by_order", "question")
    op.drop_index("question_unread", "question")
    op.drop_index("question_open", "question")
    op.drop_table("question")
