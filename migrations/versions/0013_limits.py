"""Up to what amount somebody signs for another person; refused signatures are found along an index."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None
_REFUSED = sa.text("kind = 'signature_refused'")


def upgrade() -> None:
    with op.batch_alter_table("delegation", schema=None) as batch_op:
        batch_op.add_column(sa.Column("limit_amount", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("limit_currency", sa.String(length=3), nullable=True))
    op.create_index("event_refused", "event", ["at", "actor"], sqlite_where=_REFUSED, postgresql_where=_REFUSED)


def downgrade() -> None:
    op.drop_index("event_refused", "event", sqlite_where=_REFUSED, postgresql_where=_REFUSED)
    with op.batch_alter_table("delegation", schema=None) as batch_op:
        batch_op.drop_column("limit_currency")
        batch_op.drop_column("limit_amount")
