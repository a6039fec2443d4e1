"""The paper as data: what it prints, with the place where it prints it, and what it claims.

`tables.toml` and `text.toml` hold every number; `tables.printed` and `text.said` read one, `formula.Cell` computes with
one. `claims.CLAIMS` are the statements, `audit` holds them against the numbers.
"""
