"""How a board ends a life on purpose: a reboot is asked for, or its boot number was used before. Loaded only then."""

import asyncio

from micropython import const

_DRAIN_MS = const(10000)
_LOOK_MS = const(50)


async def reboot(board):
    """Seals what is measured, and waits until the gateway has it, for ten seconds at most; then flash has it. Whoever
    calls this restarts the board."""
    print("reboot")
    board.supervisor.stop("appliance")
    board.appliance.seal()
    waited = 0
    while board.journal.held and waited < _DRAIN_MS:
        await asyncio.sleep_ms(_LOOK_MS)
        waited += _LOOK_MS
    if board.journal.held:
        print("reboot: unconfirmed", "but on flash" if board.journal.spill() else "")
    client = board.link.client
    if client.connected:
        topic, offline = client.will
        try:
            await client.publish(topic, offline, retain=True, timeout_s=2)
        except OSError as error:
            print("reboot: the last will says it:", error)
    await client.close()


def boot_reused(board, boot):
    """The gateway knows frames of this boot number or a later one: the counter was lost. Those numbers name other
    frames, so the board starts again beyond them, and forgets what it numbered so. Whether it goes on instead: where
    the counter cannot be stored, each start takes a number by chance, and this one is not in use."""
    print("boot: used before:", boot)
    try:
        board.boot_counter.store(boot)
    except OSError as error:
        print("boot:", error)
        if boot != board.sealer.boot:
            return True
    board.journal.ack(board.sealer.boot, board.sealer.seq)
    board.appliance.make_safe()
    board.reset()
    return False
