"""Teams, roles and invitations."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "team",
        sa.Column("key", sa.String(length=80), nullable=False),
        sa.Column("title", sa.String(length=120), nullable=False),
        sa.Column("roles", sa.JSON(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_table(
        "one_time_link",
        sa.Column("user", sa.String(length=80), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["user"], ["user_account.name"]),
        sa.PrimaryKeyConstraint("user"),
        sa.UniqueConstraint("hash"),
    )
    with op.batch_alter_table("user_account") as table:
        table.add_column(sa.Column("email", sa.String(length=254), nullable=True))
        table.add_column(sa.Column("away_from", sa.DateTime(timezone=True), nullable=True))
        table.add_column(sa.Column("away_until", sa.DateTime(timezone=True), nullable=True))
        table.add_column(sa.Column("stand_in", sa.String(length=80), nullable=True))
        table.create_unique_constraint("user_account_email_key", ["email"])


def downgrade() -> None:
    with op.batch_alter_table("user_account") as table:
        table.drop_constraint("user_account_email_key", type_="unique")
        table.drop_column("stand_in")
        table.drop_column("away_until")
        table.drop_column("away_from")
        table.drop_column("email")
    op.drop_table("one_time_link")
    op.drop_table("team")
