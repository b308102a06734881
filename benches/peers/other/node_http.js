// Node's own HTTP server, as it comes: 5 s of keep-alive, 60 s for a head, 300 s for a request.
'use strict';

const http = require('node:http');

const hello = Buffer.from('Hello, world!');
const big = Buffer.alloc(1 << 20, 'x');

function answer(response, status, body) {
  response.writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8', 'Content-Length': body.length });
  response.end(body);
}

const server = http.createServer((request, response) => {
  const route = `${request.method} ${request.url}`;
  if (route === 'GET /') {
    answer(response, 200, hello);
  } else if (route === 'GET /big') {
    answer(response, 200, big);
  } else if (route === 'POST /echo') {
    const chunks = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', () => answer(response, 200, Buffer.concat(chunks)));
  } else {
    answer(response, 404, Buffer.alloc(0));
  }
});

server.listen({ host: '127.0.0.1', port: 0, backlog: 4096 }, () => {
  console.log(`listening 127.0.0.1:${server.address().port}`);
});
