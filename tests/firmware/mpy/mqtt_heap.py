"""How much heap the MQTT client takes: argv[1] is the broker's port; prints one JSON line of bytes."""

import asyncio
import gc
import json
import sys


def free():
    gc.collect()
    return gc.mem_free()


async def main():
    # What any firmware has loaded before it: the loop, an Event, a Lock, a stream.
    loaded = asyncio.Event(), asyncio.Lock(), asyncio.StreamReader, asyncio.wait_for_ms
    start = free()
    import mqtt

    imported = free()
    ready = asyncio.Event()

    async def on_connect():
        await client.subscribe(["hg/1/a0b1c2d3e4f5/ack", "hg/1/a0b1c2d3e4f5/cmd"])
        ready.set()

    client = mqtt.Client("127.0.0.1", int(sys.argv[1]), "a0b1c2d3e4f5", on_connect=on_connect)
    made = free()
    running = asyncio.create_task(client.run(lambda *_: None))
    await asyncio.wait_for(ready.wait(), 10)
    connected = free()
    for _ in range(100):
        await client.publish("hg/1/a0b1c2d3e4f5/up", bytes(300))
    used = free()
    await client.close()
    await running
    assert loaded
    taken = {"import": start - imported, "client": imported - made, "connection": made - connected}
    print(json.dumps(dict(taken, after_100=connected - used)))


asyncio.run(main())
