"""Sessions, second factors and tokens."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_LASTS = timedelta(days=90)
"""How long tokens that had no end go on."""


def upgrade() -> None:
    op.create_table(
        "sign_in",
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("user", sa.String(length=80), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("address", sa.String(length=45), nullable=False),
        sa.Column("browser", sa.String(length=80), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["user"], ["user_account.name"]),
        sa.PrimaryKeyConstraint("hash"),
    )
    op.create_index("ix_sign_in_user", "sign_in", ["user"], unique=False)
    op.create_index("ix_sign_in_seen_at", "sign_in", ["seen_at"], unique=False)
    op.create_table(
        "second_factor",
        sa.Column("user", sa.String(length=80), nullable=False),
        sa.Column("secret", sa.String(length=300), nullable=False),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_step", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["user"], ["user_account.name"]),
        sa.PrimaryKeyConstraint("user"),
    )
    op.create_table(
        "recovery_code",
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("user", sa.String(length=80), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["user"], ["user_account.name"]),
        sa.PrimaryKeyConstraint("hash"),
    )
    op.create_index("ix_recovery_code_user", "recovery_code", ["user"], unique=False)
    with op.batch_alter_table("api_token", schema=None) as batch_op:
        batch_op.add_column(sa.Column("label", sa.String(length=80), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("scopes", sa.JSON(), nullable=False, server_default='["all"]'))
        batch_op.add_column(sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True))
    tokens = sa.table("api_token", sa.column("expires_at", sa.DateTime(timezone=True)))
    op.execute(tokens.update().values(expires_at=datetime.now(UTC) + _LASTS))
    with op.batch_alter_table("api_token", schema=None) as batch_op:
        batch_op.alter_column("label", server_default=None)
        batch_op.alter_column("scopes", server_default=None)
        batch_op.alter_column("expires_at", nullable=False, existing_type=sa.DateTime(timezone=True))
    op.drop_table("ended_session")
    with op.batch_alter_table("user_account", schema=None) as batch_op:
        batch_op.drop_column("session_epoch")


def downgrade() -> None:
    with op.batch_alter_table("user_account", schema=None) as batch_op:
        batch_op.add_column(sa.Column("session_epoch", sa.Integer(), nullable=False, server_default="1"))
    with op.batch_alter_table("user_account", schema=None) as batch_op:
        batch_op.alter_column("session_epoch", server_default=None)
    op.create_table(
        "ended_session",
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("hash"),
    )
    with op.batch_alter_table("api_token", schema=None) as batch_op:
        batch_op.drop_column("revoked_at")
        batch_op.drop_column("last_used_at")
        batch_op.drop_column("expires_at")
        batch_op.drop_column("scopes")
        batch_op.drop_column("label")
    op.drop_index("ix_recovery_code_user", "recovery_code")
    op.drop_table("recovery_code")
    op.drop_table("second_factor")
    op.drop_index("ix_sign_in_seen_at", "sign_in")
    op.drop_index("ix_sign_in_user", "sign_in")
    op.drop_table("sign_in")
