"""The two exceptions whose message is all a person needs to see."""


class UserError(Exception):
    """A mistake in flags, files or data.

    Its message is one line that says what is wrong, where, and what to do.
    Programs print it as it is and exit with code 2; nothing has been written.
    """


class RunError(Exception):
    """What can go wrong in a run that was set up right: a full disk, no memory, NaN.

    Its message is one line that says what happened and how to go on. Programs print
    it as it is and exit with code 1.
    """
