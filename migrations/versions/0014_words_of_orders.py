"""The words by which an order is found, and the names of open tasks."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_OPEN = sa.text("state = 'open'")
_WORD = sa.String(length=60).with_variant(sa.String(length=60, collation="C"), "postgresql")
_AT_ONCE = 1000
"""Orders whose words are written together."""


def upgrade() -> None:
    words = op.create_table(
        "order_word",
        sa.Column("word", _WORD, nullable=False),
        sa.Column("order_number", sa.String(length=80), nullable=False),
        sa.ForeignKeyConstraint(["order_number"], ["orders.number"]),
        sa.PrimaryKeyConstraint("word", "order_number"),
        sqlite_with_rowid=False,
    )
    connection = op.get_bind()
    orders = sa.table("orders", *map(sa.column, ("number", "customer_name", "city", "email", "order_ref")))
    after = ""
    while found := connection.execute(
        sa.select(orders).where(orders.c.number > after).order_by(orders.c.number).limit(_AT_ONCE)
    ).all():
        connection.execute(sa.insert(words), list(_rows(found)))
        after = found[-1].number
    op.create_index("order_word_of", "order_word", ["order_number", "word"])
    op.create_index("task_names", "task", ["name"], sqlite_where=_OPEN, postgresql_where=_OPEN)


def downgrade() -> None:
    op.drop_index("task_names", "task")
    op.drop_index("order_word_of", "order_word")
    op.drop_table("order_word")


def _rows(orders: Any) -> Iterator[dict[str, str]]:
    """As `handlers.order_words` made them when this was written."""
    for order in orders:
        digits = re.sub(r"\D", "", order.number)
        found = [digits[start:] for start in range(max(1, len(digits) - 2))]
        for text in order[1:]:
            folded = unicodedata.normalize("NFKD", (text or "").casefold())
            plain = "".join(c for c in folded if not unicodedata.combining(c))
            found += [word[:60] for word in re.split(r"[\s\-.,;:@/'’+&()#]+", plain)]
        for word in dict.fromkeys(filter(None, found)):
            yield {"word": word, "order_number": order.number}
