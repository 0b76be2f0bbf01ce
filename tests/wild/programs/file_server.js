// A file server as of a tutorial: file_server.js PORT DIRECTORY. Its reads are made by the threads of libuv's pool.
const fs = require('fs'), http = require('http'), path = require('path');

const [port, directory] = process.argv.slice(2);
http.createServer((request, response) => {
  fs.readFile(path.join(directory, request.url), (error, data) => {
    response.writeHead(error ? 404 : 200, {'Content-Length': error ? 0 : data.length});
    response.end(data);
  });
}).listen(Number(port), '127.0.0.1', 1000);
