"""Uvicorn on uvloop and httptools: `uvicorn_serve.py MODULE:APPLICATION`, on a free port."""

import socket
import sys

import uvicorn

listener = socket.socket()
listener.bind(("127.0.0.1", 0))
# Those who read the line below connect before Uvicorn listens.
listener.listen(4096)
config = uvicorn.Config(
    sys.argv[1],
    loop="uvloop",
    http="httptools",
    backlog=4096,
    access_log=False,
    log_level="warning",
)
print(f"listening 127.0.0.1:{listener.getsockname()[1]}", flush=True)
uvicorn.Server(config).run(sockets=[listener])
