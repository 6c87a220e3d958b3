"""Drafts of tasks with a revision, and the indexes by which the inbox reads."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_OPEN = sa.text("state = 'open'")
_CLAIMED = sa.text("state = 'open' AND assignee IS NOT NULL")


def _index(name: str, columns: list[str], where: sa.TextClause | None = None) -> None:
    op.create_index(name, "task", columns, unique=False, sqlite_where=where, postgresql_where=where)


def upgrade() -> None:
    op.create_index("ix_order_line_sku", "order_line", ["sku"])
    op.create_index("ix_payment_reference", "payment", ["reference"])
    op.create_index("ix_shipment_tracking_number", "shipment", ["tracking_number"])
    with op.batch_alter_table("task", schema=None) as batch_op:
        batch_op.add_column(sa.Column("draft_revision", sa.Integer(), nullable=False, server_default="0"))
        batch_op.add_column(sa.Column("draft_by", sa.String(length=80), nullable=True))
        batch_op.add_column(sa.Column("draft_at", sa.DateTime(timezone=True), nullable=True))
    # whoever has a task with a draft typed it; when is not known, so that it counts from the claim
    op.execute("UPDATE task SET draft_revision = 1, draft_by = assignee, draft_at = claimed_at WHERE draft IS NOT NULL")
    with op.batch_alter_table("task", schema=None) as batch_op:
        batch_op.alter_column("draft_revision", server_default=None)
    op.drop_index("task_mine", "task")
    _index("task_mine", ["assignee", "due_at", "id"], _CLAIMED)
    _index("task_claims", ["claimed_at"], _CLAIMED)
    _index("task_due", ["due_at", "id"], _OPEN)
    _index("task_step", ["step", "team", "due_at", "id"], _OPEN)
    _index("task_by_order", ["business_key"])


def downgrade() -> None:
    for name in ("task_by_order", "task_step", "task_due", "task_claims", "task_mine"):
        op.drop_index(name, "task")
    _index("task_mine", ["assignee", "due_at"], _OPEN)
    with op.batch_alter_table("task", schema=None) as batch_op:
        batch_op.drop_column("draft_at")
        batch_op.drop_column("draft_by")
        batch_op.drop_column("draft_revision")
    op.drop_index("ix_shipment_tracking_number", "shipment")
    op.drop_index("ix_payment_reference", "payment")
    op.drop_index("ix_order_line_sku", "order_line")
