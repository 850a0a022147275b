"""Makes a board from its configuration. Needed once: main.py drops this module from memory when it is done.

Its functions are called what something else in the firmware is called: names stay in memory when modules go.
"""

import gc
import os
import sys

import cbor
import journal
import port
from board import Board
from clock import Clock
from mac import Mac0
from micropython import const
from sealer import Sealer
from segments import SEGMENT_BYTES, Segments
from supervisor import Supervisor

_VERSION = const(1)
_EVENT = const(3)
_LOADED_LATER = ("health", "upkeep", "thinning", "crash", "update", "manifest", "slots")
# kind -> class, in the module of that name. Only the one that is asked for is loaded.
_KINDS = {"fridge": "Fridge", "kettle": "Kettle"}
# Where frames are on flash. Never the name of a module: an import would find the folder first.
_FOLDER = const("frames")
# Nobody makes a second one of these: what only makes them leaves the memory too, 3 KB with 64-bit words.
_MADE_ONCE = (
    "appliance.Appliance",
    "board.Board",
    "clock.Clock",
    "flight.Flight",
    "fridge.DoorWatch",
    "fridge.Fridge",
    "fridge.ShelfWatch",
    "journal.Counter",
    "journal.Journal",
    "kettle.HeaterControl",
    "kettle.Kettle",
    "link.Link",
    "mac.Mac0",
    "mqtt.Client",
    "mqtt_socket.PacketSocket",
    "sealer.Sealer",
    "segments.Segments",
    "serial_link.Client",
    "supervisor.Supervisor",
)
# And functions that only the start calls.
_CALLED_ONCE = ("appliance._sampler", "journal._read")
_CALLED_ONCE_OF = (
    "supervisor.Supervisor.add",
    "appliance.Appliance.tasks",
    "fridge.Fridge.tasks",
    "kettle.Kettle.tasks",
)
# The wire's, for a boot.
_BOOT_MOST = const(0xFFFFFFFF)
# The link's longest pause is a write that waits until a dead connection is noticed. The network's are shorter.
_LINK_LIMIT_MS = const(300000)
# The time is asked for every hour.
_TIME_LIMIT_MS = const(7200000)


def make():
    """A Board that is ready to run, or None after saying what is wrong. A crash is kept, and the board starts again."""
    try:
        return _make()
    except Exception as error:
        from starts import end

        del sys.modules["starts"]
        end(error)
        port.halt(error)
    except BaseException:
        port.hand_over()
        raise


def _make():
    config = _read()
    if config is None:
        return None
    if config.kind not in _KINDS:
        print("hearthgate: board.json: kind: expected one of", ", ".join(sorted(_KINDS)))
        return None
    # From here on a driver that hangs is a reset, as a task that hangs is one later.
    watchdog = port.watchdog()
    clock = _clock(config.sim or {})
    segments = _segments(config.flash_bytes)
    boot = _boot(0 if segments is None else segments.boot)
    mac = Mac0(config.key)
    try:
        os.stat("key")
        from rekey import load

        del sys.modules["rekey"]
        mac = load(config)
    except OSError:
        pass  # the key that it was flashed with
    waiting = journal.Journal(boot.value, segments, config.journal_bytes, config.durable)
    series = sum(1 for channel in config.channels if channel.kind != _EVENT)
    board = Board(config.kind, clock, port.reset, boot, waiting, Sealer(mac, waiting, boot.value, series))
    drivers = __import__(config.drivers).open_drivers(config.board, clock)
    gc.collect()
    kind = getattr(__import__(config.kind), _KINDS[config.kind])
    board.appliance = kind(config, clock, drivers, board.sealer)
    gc.collect()
    _make_link(board, config, mac)
    _supervise(board, config, watchdog)
    import slots

    if slots.read()[2] > 0 and slots.running():
        from trial import look

        board.trial = look
    for name in _LOADED_LATER:
        # Their names go into MicroPython's table of names now: when that has to grow later, among the small pieces of
        # a running board, there may be no room in one piece, and then a full journal could not be made smaller.
        __import__(name)
        del sys.modules[name]
    for name in _MADE_ONCE:
        module, made = name.split(".")
        if module in sys.modules:
            getattr(sys.modules[module], made).__init__ = None
    for name in _CALLED_ONCE:
        module, called = name.split(".")
        setattr(sys.modules[module], called, None)
    for name in _CALLED_ONCE_OF:
        module, made, called = name.split(".")
        if module in sys.modules:
            setattr(getattr(sys.modules[module], made), called, None)
    gc.collect()
    # Never so much that nothing is left to send it with: it lies in small pieces, between which nothing large fits.
    waiting.limit_bytes = min(config.journal_bytes, gc.mem_free() // 4)
    print("hearthgate:", config.kind, config.device, "boot", boot.value, "heap", gc.mem_free())
    return board


def _read():
    """The configuration; its reader is not kept in memory."""
    import config

    try:
        return config.load("board.json", port.unique_id())
    except config.ConfigError as error:
        print("hearthgate:", error)
        return None
    finally:
        del sys.modules["config"]
        sys.modules.pop("serial_config", None)
        gc.collect()


def _clock(sim):
    clock = Clock(sim.get("speed", 1), sim.get("epoch_ms"))
    now_s = port.system_time_s()
    if clock.time_s() is None and now_s is not None:
        clock.set_time_s(now_s)
    return clock


def _segments(flash_bytes):
    """What earlier lives left on flash, with room for more; None if the board may not use flash for frames."""
    if not flash_bytes:
        return None
    found = Segments(_FOLDER, flash_bytes)
    if hasattr(os, "statvfs"):
        # Two thirds of what is free are for a person's files, the next firmware and the file system itself.
        stat = os.statvfs(".")
        room = found.count * SEGMENT_BYTES + stat[1] * stat[4]
        found.limit = min(found.limit, room // 3 // SEGMENT_BYTES)
    return found


def _boot(highest):
    """The counter of boots, one beyond every boot before: `highest` is that of the frames on flash."""
    boot = journal.Counter("boot")
    following = max(boot.value, highest) + 1
    try:
        boot.store(following)
    except OSError as error:
        # Without flash it still measures and reports. The next life may find the same counter, and is not to use the
        # same numbers; once flash works again, the gateway tells how far they went (leaving.py).
        print("boot: cannot store the boot counter:", error)
        dice = os.urandom(2)
        boot.value = min(following + 1 + (dice[0] << 8 | dice[1]), _BOOT_MOST)
    return boot


def _make_link(board, config, mac):
    from link import Link

    # The class of whichever is asked for: the other is not even loaded.
    client = __import__("mqtt" if config.link == "mqtt" else "serial_link").Client
    boot = board.sealer.boot
    channels = [channel[:6] for channel in config.channels]
    birth = [_VERSION, boot, config.kind, config.model, config.firmware, config.name, channels]
    birth = mac.seal(b"birth", cbor.dumps(birth))
    if config.flash_bytes:
        import births

        births.remember(mac, birth)
        del births, sys.modules["births"]
    offline, online = (mac.seal(b"state", cbor.dumps([_VERSION, boot, state])) for state in (0, 1))
    gc.collect()
    board.link = Link(
        config.device,
        config.mqtt,
        board.clock,
        board.journal,
        mac,
        board.sealer,
        birth,
        online,
        offline,
        journal.Counter("command"),
        board.command,
        board.boot_reused,
        client,
    )
    board.sealer.on_frame = board.link.woken.set
    board.appliance.on_use = board.link.say
    board.link.update = board.take
    import quiet

    quiet.load(board.appliance)
    del quiet, sys.modules["quiet"]


def _supervise(board, config, watchdog):
    supervisor = board.supervisor = Supervisor(watchdog, port.reset, board.appliance.make_safe, board.every_second)
    for task in board.appliance.tasks():
        supervisor.add(*task)
    supervisor.add("mqtt", board.link.keep_connected, _LINK_LIMIT_MS)
    supervisor.add("link", board.link.run, _LINK_LIMIT_MS)
    if "led" in board.appliance.drivers:
        supervisor.add("led", board.show, _LINK_LIMIT_MS)
    if config.wifi is not None:
        try:
            from wifi import Wifi
        except ImportError:
            print("hearthgate: board.json: wifi: this port has none, it is left to the system")
            return
        wifi = Wifi(config.wifi, board.clock, config.ntp, board.appliance.is_live, board.link.client)
        supervisor.add("wifi", wifi.keep_joined, _LINK_LIMIT_MS)
        supervisor.add("time", wifi.keep_time, _TIME_LIMIT_MS)
