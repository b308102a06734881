"""An ASGI application without a framework: what Uvicorn and Granian themselves cost."""

HELLO = b"Hello, world!"
BIG = b"x" * (1 << 20)


async def body_of(receive):
    chunks = []
    while True:
        message = await receive()
        chunks.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(chunks)


async def app(scope, receive, send):
    if scope["type"] != "http":
        raise NotImplementedError(scope["type"])
    route = (scope["method"], scope["path"])
    status = 200
    if route == ("GET", "/"):
        body = HELLO
    elif route == ("POST", "/echo"):
        body = await body_of(receive)
    elif route == ("GET", "/big"):
        body = BIG
    else:
        status, body = 404, b""
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
