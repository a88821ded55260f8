"""Errors for people: what was expected, what came, where, what to do. Shown without a traceback by the command line."""


class QdError(Exception):
    """Something a person can mend; the message says how."""

    exit_status = 1


class UsageError(QdError):
    """Bad input, refused at the door: nothing was created and nothing was lost."""

    exit_status = 2
