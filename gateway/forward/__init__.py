"""Forwarding: each sink at its own pace, each event built once, nothing without a grant."""
