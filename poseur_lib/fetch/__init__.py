"""Data sets from where their owners publish them: download, unpacking, and what is there afterwards."""
