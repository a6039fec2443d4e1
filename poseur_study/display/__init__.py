"""Figures and tables in one style, as HTML that works in a notebook and in the report."""
