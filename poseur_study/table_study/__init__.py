"""A table as a notebook works with it: `TableStudy` runs what is missing and hands out tidy frames."""

from poseur_study.table_study.study import TableStudy

__all__ = ["TableStudy"]
