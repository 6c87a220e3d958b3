"""Everybody who typed at a task, for the separation of duties."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("task", schema=None) as batch_op:
        batch_op.add_column(sa.Column("draft_authors", sa.Text(), nullable=False, server_default=""))
    # of older drafts only the last author is known
    op.execute("UPDATE task SET draft_authors = draft_by WHERE draft_by IS NOT NULL")
    with op.batch_alter_table("task", schema=None) as batch_op:
        batch_op.alter_column("draft_authors", server_default=None)


def downgrade() -> None:
    with op.batch_alter_table("task", schema=None) as batch_op:
        batch_op.drop_column("draft_authors")
