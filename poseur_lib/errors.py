"""What ends a command and is no fault of the program."""


class UserError(ValueError):
    """Something the user gave cannot be used; the message is one line that names it and its value."""


class Interrupted(Exception):
    """Ctrl-C; the message is one line that says what that leaves."""
