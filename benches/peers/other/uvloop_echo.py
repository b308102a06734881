"""An echo of asyncio's protocols: on uvloop, or with the word `asyncio` on its own loop."""

import asyncio
import sys


class Echo(asyncio.Protocol):
    def connection_made(self, transport):
        # Both loops set TCP_NODELAY themselves.
        self.transport = transport

    def data_received(self, data):
        self.transport.write(data)


# asyncio reads into a new object of 256 KiB each time. glibc maps and unmaps memory for it, which
# costs more than all the rest, unless it has seen a larger one go.
large = bytes(1 << 20)
del large


async def main():
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Echo, "127.0.0.1", 0, backlog=4096)
    print(f"listening 127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if "asyncio" in sys.argv:
    asyncio.run(main())
else:
    import uvloop

    uvloop.run(main())
