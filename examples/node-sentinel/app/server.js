// Counts visits in Redis: `server.js NAME PORT FILE`, where FILE has the address of the primary.
'use strict';

const fs = require('fs');
const http = require('http');
const net = require('net');

const [name, port, file] = process.argv.slice(2);
const PATIENCE_MS = 30000; // for a visitor while there is no primary
const TRY_MS = 1000;
const PAUSE_MS = 100;

let connection = null;
let waiting = []; // those who get the next answers, in order

function connect() {
  const [host, redisPort] = fs.readFileSync(file, 'utf8').trim().split(':');
  const socket = net.connect(Number(redisPort), host);
  let text = '';
  socket.setEncoding('utf8');
  socket.on('data', (data) => {
    text += data;
    // INCR and WAIT are answered with a line each: `:7`, or `-ERROR …`.
    for (let end; (end = text.indexOf('\r\n')) >= 0; text = text.slice(end + 2)) {
      if (waiting.length) waiting.shift()(text.slice(0, end));
    }
  });
  socket.on('error', () => {});
  socket.on('close', () => { if (socket === connection) disconnect(); });
  connection = socket;
}

function disconnect() {
  const [socket, lost] = [connection, waiting];
  [connection, waiting] = [null, []];
  if (socket) socket.destroy();
  lost.forEach((answer) => answer('-no answer'));
}

function ask(command) {
  if (!connection) connect();
  return new Promise((resolve) => {
    const late = setTimeout(disconnect, TRY_MS);
    waiting.push((line) => { clearTimeout(late); resolve(line); });
    connection.write(`${command}\r\n`);
  });
}

// The number of a visit, when a replica has it, too. Whoever asks waits while the primary changes; a number may be left out.
async function count() {
  for (const end = Date.now() + PATIENCE_MS; Date.now() < end;) {
    // Both at once: WAIT is about what the same connection has written.
    const [visits, replicas] = await Promise.all([ask('INCR visits'), ask('WAIT 1 500')]);
    if (visits.startsWith(':') && replicas.startsWith(':') && replicas !== ':0') return visits.slice(1);
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
  return null;
}

process.on('SIGHUP', disconnect); // the next visitor's connection goes to where the file says

http.createServer(async (request, response) => {
  const visits = request.url === '/health' ? 'well' : await count();
  response.writeHead(visits === null ? 503 : 200, {'Content-Type': 'text/plain'});
  response.end(visits === null ? 'no primary\n' : `${visits} ${name}\n`);
}).listen(Number(port), '127.0.0.1', () => console.log(`${name}: listening`));

process.on('SIGTERM', () => process.exit(0));
