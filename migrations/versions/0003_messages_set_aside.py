"""Messages can be set aside by a person."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_UNTAKEN = "consumed_at IS NULL AND set_aside_at IS NULL"


def upgrade() -> None:
    with op.batch_alter_table("message", schema=None) as batch_op:
        batch_op.add_column(sa.Column("set_aside_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("set_aside_by", sa.String(length=80), nullable=True))
        batch_op.add_column(sa.Column("set_aside_reason", sa.Text(), nullable=True))
        batch_op.drop_index("message_waiting")
        batch_op.create_index("message_by_order", ["correlation"], unique=False)
    with op.batch_alter_table("message", schema=None) as batch_op:
        batch_op.create_index(
            "message_waiting", ["correlation"], unique=False,
            sqlite_where=sa.text(_UNTAKEN), postgresql_where=sa.text(_UNTAKEN),
        )
        batch_op.create_index(
            "message_set_aside", ["id"], unique=False,
            sqlite_where=sa.text("set_aside_at IS NOT NULL"), postgresql_where=sa.text("set_aside_at IS NOT NULL"),
        )


def downgrade() -> None:
    with op.batch_alter_table("message", schema=None) as batch_op:
        batch_op.drop_index("message_set_aside")
        batch_op.drop_index("message_waiting")
        batch_op.drop_index("message_by_order")
    with op.batch_alter_table("message", schema=None) as batch_op:
        batch_op.drop_column("set_aside_reason")
        batch_op.drop_column("set_aside_by")
        batch_op.drop_column("set_aside_at")
        batch_op.create_index(
            "message_waiting", ["correlation"], unique=False,
            sqlite_where=sa.text("consumed_at IS NULL"), postgresql_where=sa.text("consumed_at IS NULL"),
        )
