"""The paper as data: what it prints, with the place where it prints it."""
