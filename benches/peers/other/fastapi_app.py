"""FastAPI: `app` has the plain routes, `routes` a hundred with a parameter each."""

from fastapi import FastAPI, Request, Response

BIG = b"x" * (1 << 20)

app = FastAPI()
routes = FastAPI()


def text(body):
    return Response(body, media_type="text/plain")


@app.get("/")
async def hello():
    return text("Hello, world!")


@app.post("/echo")
async def echo(request: Request):
    return text(await request.body())


@app.get("/big")
async def big():
    return text(BIG)


def add_route(number):
    @routes.get(f"/route{number}/{{name}}")
    async def answer(name: str):
        return text(f"{number} {name}")


for number in range(100):
    add_route(number)
