"""Stacks of containers, endpoints, customers and plans, custom domains."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("services") as table:
        table.add_column(sa.Column("compose", sa.Text(), nullable=True))
        table.add_column(sa.Column("dockerfile", sa.Text(), nullable=True))
        table.add_column(sa.Column("ai_url", sa.Text(), nullable=True))
        table.add_column(sa.Column("endpoint", sa.JSON(), nullable=True))
    with op.batch_alter_table("releases") as table:
        table.add_column(sa.Column("driver", sa.String(length=16), nullable=False, server_default="process"))
        table.add_column(sa.Column("compose", sa.Text(), nullable=True))
        table.add_column(sa.Column("images", sa.JSON(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("releases") as table:
        for name in ("images", "compose", "driver"):
            table.drop_column(name)
    with op.batch_alter_table("services") as table:
        for name in ("endpoint", "ai_url", "dockerfile", "compose"):
            table.drop_column(name)
