"""The one error that a user can cause."""


class UserError(ValueError):
    """Something the user gave cannot be used; the message is one line that names it and its value."""
