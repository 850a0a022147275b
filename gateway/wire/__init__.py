"""The wire: pure functions from bytes to what they mean and back. Nothing here knows a clock, a socket or a file."""
