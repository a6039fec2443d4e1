"""The paper as data: what it prints, with the place where it prints it, and what it claims.

`tables.toml` and `text.toml` hold every number; `tables.printed_cell` and `tables.text_number` read one,
`formula.formula` computes with them. `claims.toml` has the statements, `audit` holds them against the numbers.
`deviations.toml` tells the paper's text and the released code apart.
"""
