"""What can be wrong with bytes from outside."""


class WireError(ValueError):
    """A message that is not what it should be. `reason` is a short stable word for counting, the text is for people."""

    reason = "malformed"


class FrameError(WireError):
    """A frame that does not follow frame.cddl."""

    reason = "bad_frame"


class VersionError(WireError):
    """A message of a version that this gateway does not speak."""

    reason = "wrong_version"


class MacError(WireError):
    """A missing or wrong MAC: not from the device that the topic names, not for this role, or changed on its way."""

    reason = "bad_mac"


class BirthError(WireError):
    """A birth that does not follow frame.cddl."""

    reason = "bad_birth"


class CrashError(WireError):
    """A crash report that does not follow frame.cddl."""

    reason = "bad_crash"


class SizeError(WireError):
    """A message larger than any that a board of ours sends."""

    reason = "too_large"
