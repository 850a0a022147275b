"""The root of the errors that a person can act on."""


class HearthgateError(Exception):
    """Something a person can mend; its text says what to do. The command prints it without a trace."""
