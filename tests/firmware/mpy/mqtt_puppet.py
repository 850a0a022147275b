"""The MQTT client under the command of a test: settings in the file argv[1], commands on stdin, events on stdout.

All are JSON lines. A command is {"n": number, "do": what, ...}; its answer repeats n. Events have no n.
"""

import asyncio
import gc
import json
import sys

import mqtt

with open(sys.argv[1]) as file:
    settings = json.load(file)
topics = settings.pop("subscribe", None)
fill_id = settings.pop("last_id", 0)


def say(**event):
    print(json.dumps(event))


async def on_connect():
    if topics:
        await client.subscribe(topics)
    say(event="connect")


async def on_message(topic, payload, retained, dup):
    await asyncio.sleep_ms(1)
    if payload == b"raise":
        raise RuntimeError("as told")
    say(event="message", topic=topic, payload=str(payload, "utf-8"), retained=retained, dup=dup)


async def obey(order):
    n, what = order.pop("n"), order.pop("do")
    try:
        say(n=n, result=await deeds[what](**order))
    except Exception as error:  # noqa: BLE001 - the test judges it
        say(n=n, error=type(error).__name__, text=str(error))


async def publish(topic, payload, **options):
    await client.publish(topic, payload.encode(), **options)


async def publish_many(topic, count):
    ids = []
    for i in range(count):
        ids.append(await client.publish_soon(topic, str(i).encode()))  # noqa: PERF401 - not in MicroPython
    return ids


async def flood(topic, size, patience_ms=60_000):
    payload = bytes(size)
    while True:
        await asyncio.wait_for_ms(client.publish(topic, payload, qos=0), patience_ms)


async def cancel():
    running[0].cancel()


async def state():
    gc.collect()
    names = ("connected", "connects", "published", "acked", "received", "handler_errors", "last_error")
    return dict([(name, getattr(client, name)) for name in names], free=gc.mem_free())


async def main():
    orders = asyncio.StreamReader(sys.stdin)
    running.append(asyncio.create_task(client.run(lambda *_: None)))
    say(event="start")
    while True:
        line = await orders.readline()
        if not line:
            break
        asyncio.create_task(obey(json.loads(line)))  # noqa: RUF006 - MicroPython's loop keeps its tasks
    try:
        await running[0]
        say(event="end")
    except asyncio.CancelledError:
        say(event="cancelled")


running = []
client = mqtt.Client(
    settings.pop("host", "127.0.0.1"),
    settings.pop("port"),
    settings.pop("client_id", "puppet"),
    on_connect=on_connect,
    on_message=on_message,
    backoff_ms=(50, 200),
    **settings,
)
client._last_id = fill_id
deeds = {
    "publish": publish,
    "publish_many": publish_many,
    "subscribe": client.subscribe,
    "state": state,
    "close": client.close,
    "flood": flood,
    "cancel": cancel,
}
asyncio.run(main())
