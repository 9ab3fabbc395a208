"""The one exception for what a user can put right."""


class UserError(Exception):
    """A mistake in flags, files or data.

    Its message is one line that says what is wrong, where, and what to do.
    Programs print it as it is and exit with code 2; nothing has been written.
    """
