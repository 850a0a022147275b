"""Stands before the firmware's bitpack on the path: a port without a native emitter, where packing runs plain."""

raise ImportError("no native emitter")
