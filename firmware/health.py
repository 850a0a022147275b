"""The health line: what a board has done and how it is, for whoever reads its console. Loaded only to be printed."""

import json


def line(board, heap_free, final):
    """One machine-readable line; `final` in a board's last words before it restarts."""
    sealer, journal, link = board.sealer, board.journal, board.link
    return (
        'HG {"kind":"%s","uptime_s":%d,"heap_free":%d,"heap_min":%d,"boot":%d,"frames_sealed":%d,"frames_acked":%d,'
        '"frames_dropped":%d,"held":%d,"exposed":%d,"flash_bytes":%d,"flash_writes":%d,"flash_errors":%d,'
        '"payload_bytes":%d,"rows":%d,"values":%d,"events":%d,"thinned":%d,"gaps":%d,"retransmits":%d,"refused":%s,'
        '"crashes":%d,"connects":%d,"final":%s}'
    ) % (
        board.kind,
        board.clock.uptime_ms() // 1000,
        heap_free,
        board.heap_min,
        sealer.boot,
        sealer.seq,
        journal.acked,
        journal.dropped,
        journal.held,
        journal.exposed,
        journal.flash_bytes,
        journal.flash_writes,
        journal.flash_errors,
        link.payload_bytes,
        sealer.rows,
        sealer.values,
        sealer.events,
        sealer.thinned,
        sealer.gaps,
        link.retransmits,
        json.dumps(link.refused),
        board.supervisor.crashes,
        link.client.connects,
        "true" if final else "false",
    )
