"""Uvicorn on uvloop and httptools, on a free port: `uvicorn_serve.py MODULE [routes]`."""

import socket
import sys

import uvicorn

# Nothing is to be written beside the sources.
sys.dont_write_bytecode = True

listener = socket.socket()
listener.bind(("127.0.0.1", 0))
# Those who read the line below connect before Uvicorn listens.
listener.listen(4096)
config = uvicorn.Config(
    f"{sys.argv[1]}:{'routes' if 'routes' in sys.argv else 'app'}",
    loop="uvloop",
    http="httptools",
    backlog=4096,
    access_log=False,
    log_level="warning",
)
print(f"listening 127.0.0.1:{listener.getsockname()[1]}", flush=True)
uvicorn.Server(config).run(sockets=[listener])
