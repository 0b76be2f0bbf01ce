/* http.h as a C program uses it: a server and its client in one process. */
#include <errno.h>
#include <guv/http.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static guv_http_server* server;
static uint16_t port;

static void require(int truth, const char* what) {
  if (truth) return;
  printf("not so: %s\n", what);
  fflush(stdout);
  _exit(1);
}

static int is(guv_http_text text, const char* expected) {
  return text.size == strlen(expected) && memcmp(text.data, expected, text.size) == 0;
}

static int produce(guv_http_writer* writer, void* argument) {
  const char* word = argument;
  return guv_http_write(writer, word, strlen(word));
}

static void talk(guv_websocket* socket, void* argument) {
  guv_websocket_message message;
  require(guv_websocket_ping(socket, "?", 1) == 0, "a ping is sent");
  require(guv_websocket_send(socket, "hello", 5, 1) == 0, "a message is sent");
  require(guv_websocket_wait(socket, &message, GUV_NEVER) == 1 && message.is_text, "a message of text comes");
  require(message.size == 2 && memcmp(message.data, "Hi", 2) == 0, "it is Hi");
  require(is(guv_http_request_path(guv_websocket_request(socket)), "/ws") || is(guv_websocket_protocol(socket), "good"),
          "the request that began it, or its subprotocol");
  require(guv_websocket_close(socket, 1005, NULL) == -EINVAL, "1005 must not be sent");
  require(guv_websocket_close(socket, 1000, "bye") == 0, "closed");
  require(guv_websocket_wait(socket, &message, GUV_NEVER) == 0, "the socket is closed");
  require(guv_websocket_close_reason(socket).size == 0, "the client gives no reason");
  require(guv_websocket_close_code(socket) == 1000, "the client closes with 1000");
  *(int*)argument += 1;
}

static int allow_home(guv_http_text origin, void* argument) {
  require(*(int*)argument >= 1, "the handler's argument");
  return is(origin, "https://home");
}

/* Sends back what comes, up to a full stop. */
static void repeat(guv_http_stream* stream, void* argument) {
  (void)argument;
  char byte;
  while (guv_http_stream_read(stream, &byte, 1, GUV_NEVER) == 1) {
    require(guv_http_stream_write(stream, &byte, 1, GUV_NEVER) == 0, "written");
    if (byte == '.') break;
  }
  guv_http_stream_shutdown(stream);
}

/* The lines of either log, each begun by which it is and ended by a new line. */
static char lines[10000];

static void keep(const char* log, guv_http_text line, void* argument) {
  require(argument == lines, "the argument of the logs");
  const size_t size = strlen(lines);
  snprintf(lines + size, sizeof lines - size, "%s: %.*s\n", log, (int)line.size, line.data);
}

static void keep_access(guv_http_text line, void* argument) { keep("access", line, argument); }
static void keep_error(guv_http_text line, void* argument) { keep("error", line, argument); }

/* The socket itself as a transport. The tenth connection gets none. */
static int opened, finished, closed;

static void* open_plain(int fd, void* argument) {
  require(argument == &opened, "the transport's argument");
  return ++opened == 10 ? NULL : (void*)(intptr_t)fd;
}

static int start_plain(void* transport, int64_t deadline) {
  (void)transport;
  require(deadline > guv_now() && deadline < GUV_NEVER, "the deadline for a start");
  return 0;
}

static ssize_t read_plain(void* transport, void* buffer, size_t size, int64_t deadline) {
  return guv_recv((int)(intptr_t)transport, buffer, size, 0, deadline);
}

static ssize_t write_plain(void* transport, const struct iovec* pieces, int count, int64_t deadline) {
  return guv_sendv((int)(intptr_t)transport, pieces, count, MSG_NOSIGNAL, deadline);
}

static void finish_plain(void* transport, int64_t deadline) {
  (void)transport, (void)deadline;
  ++finished;
}

static void close_plain(void* transport) {
  (void)transport;
  ++closed;
}

static const guv_http_transport plain = {open_plain,  &opened,      start_plain, read_plain,
                                         write_plain, finish_plain, close_plain, "plain"};

static int app(guv_http_request* request, guv_http_response* response, void* argument) {
  const guv_http_text path = guv_http_request_path(request);
  if (is(path, "/a b")) {
    require(is(guv_http_request_query(request), "c=d"), "the query is c=d");
    require(is(guv_http_request_header(request, "HOST"), "here"), "Host is here");
    require(guv_http_request_header(request, "None").data == NULL, "there is no such field");
    require(is(guv_http_request_parameter(request, "c"), "d"), "the parameter c is d");
    require(guv_http_request_parameter(request, "e").data == NULL, "there is no parameter e");
    require(guv_http_request_version(request) == 11, "it is HTTP/1.1");
    require(is(guv_http_request_method(request), "GET"), "the method is GET");
    require(is(guv_http_request_target(request), "/a%20b?c=d"), "the target as it was sent");
    guv_http_text name, value;
    require(guv_http_request_field(request, 0, &name, &value) == 1 && is(name, "Host") && is(value, "here"),
            "Host: here");
    require(guv_http_request_field(request, 2, &name, &value) == 0, "there are two fields");
    require(is(guv_http_request_remote_address(request), "127.0.0.1"), "it comes from here");
    require(is(guv_http_request_environ(request, "PATH_INFO"), "/a b"), "PATH_INFO");
    require(is(guv_http_request_environ(request, "REQUEST_SCHEME"), opened ? "plain" : "http"), "the scheme");
    require(guv_http_request_length(request) == 0, "it has no body");
    require(guv_http_server_connections(server) == 1, "there is one connection");
    require(guv_http_response_set(response, "Bad", "a\r\nb") == -EINVAL, "values have no line ends");
    require(guv_http_response_add(response, "Set-Cookie", "a=1") == 0, "a field is added");
    require(guv_http_response_add(response, "Set-Cookie", "b=2") == 0, "another of the same name, too");
    return guv_http_response_body(response, "body", 4);
  }
  if (is(path, "/echo")) {
    char buffer[100];
    require(guv_http_request_length(request) == (guv_http_request_version(request) == 10 ? 3 : -1), "3, or chunks");
    const ssize_t size = guv_http_request_read(request, buffer, sizeof buffer);
    return size < 0 ? (int)size : guv_http_response_body(response, buffer, (size_t)size);
  }
  if (is(path, "/stream")) {
    guv_http_response_stream(response, produce, "streamed");
    return guv_http_response_status(response, 202);
  }
  if (is(path, "/upgrade")) return guv_http_response_upgrade(response, "repeat", repeat, NULL);
  if (is(path, "/ws")) return guv_http_response_websocket(response, request, talk, argument, NULL);
  if (is(path, "/ws/compressed")) {
    const char* const protocols[] = {"best", "good", NULL};
    const guv_websocket_options options = {
        .max_message = 100, .protocols = protocols, .compress = 1, .allow_origin = allow_home};
    return guv_http_response_websocket(response, request, talk, argument, &options);
  }
  return -ENOENT;
}

static int connect_to_server(void) {
  const struct sockaddr_in address = {
      .sin_family = AF_INET, .sin_port = port, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  require(guv_connect(fd, (const struct sockaddr*)&address, sizeof address, GUV_NEVER) == 0, "connected");
  return fd;
}

/* Requires that a connection ends without an answer. */
static void be_refused(void) {
  const int fd = connect_to_server();
  char byte;
  require(guv_recv(fd, &byte, 1, 0, GUV_NEVER) <= 0, "no transport, no connection");
  close(fd);
}

/* Sends a request and requires that `expected` comes, in its order, by the end of the connection. */
static void ask(const char* request, size_t size, const char* first, const char* second) {
  const int fd = connect_to_server();
  require(guv_send(fd, request, size, 0, GUV_NEVER) == (ssize_t)size, "sent");
  char answer[4096];
  size_t got = 0;
  ssize_t part;
  while ((part = guv_recv(fd, answer + got, sizeof answer - 1 - got, 0, GUV_NEVER)) > 0) got += (size_t)part;
  answer[got] = 0;
  const char* begin = strstr(answer, first);
  require(begin && strstr(begin, second), request);
  close(fd);
}

#define ASK(request, first, second) ask(request, sizeof(request) - 1, first, second)

static void* client(void* options) {
  ASK("GET /a%20b?c=d HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n", "Server: mine\r\n",
      "Set-Cookie: a=1\r\nSet-Cookie: b=2\r\n");
  ASK("POST /echo HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc", "HTTP/1.1 200 OK\r\n", "\r\n\r\nabc");
  ASK("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", "HTTP/1.1 400 Bad Request\r\n",
      "400");
  ASK("GET /stream HTTP/1.0\r\n\r\n", "HTTP/1.1 202 Accepted\r\n", "\r\n\r\nstreamed");
  ASK("GET /none HTTP/1.0\r\n\r\n", "HTTP/1.1 500 Internal Server Error\r\n", "500");
  ASK("GET /upgrade HTTP/1.1\r\nHost: a\r\n\r\nsay it again.", "Upgrade: repeat\r\n", "\r\n\r\nsay it again.");
  /* "Hi" and a close with 1000, masked with zeros */
  ASK("GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n\x81\x82\0\0\0\0Hi\x88\x82\0\0\0\0\x03\xe8",
      "HTTP/1.1 101 Switching Protocols\r\n", "\x89\x01?\x81\x05hello\x88\x05\x03\xe8" "bye");
  /* the same, with "Hi" compressed */
  ASK("GET /ws/compressed HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: "
      "13\r\n"
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: good\r\nOrigin: https://home\r\n"
      "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n\xc1\x84\0\0\0\0\xf2\xc8\x04\0\x88\x82\0\0\0\0\x03\xe8",
      "Sec-WebSocket-Extensions: permessage-deflate\r\nSec-WebSocket-Protocol: good\r\n",
      "\x89\x01?\x81\x05hello\x88\x05\x03\xe8" "bye");
  /* from another page */
  ASK("GET /ws/compressed HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade, close\r\n"
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: https://away\r\n\r\n",
      "HTTP/1.1 403 Forbidden\r\n", "\r\n\r\n");
  if (((const guv_http_options*)options)->transport) be_refused();
  guv_http_server_stop(server, 1000000000);
  return NULL;
}

/* Serves until the client has asked for everything. */
static void serve(int listener, guv_http_options options) {
  int sockets = 0;
  require(guv_http_server_new(&server, listener, app, &sockets, &options) == 0, "made");
  require(guv_spawn(NULL, client, &options) == 0, "spawned");
  require(guv_http_server_run(server) == 0, "ended");
  guv_http_server_free(server);
  require(sockets == 2, "two WebSockets were served");
}

int main(void) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  require(bind(listener, (struct sockaddr*)&address, size) == 0 && listen(listener, 10) == 0, "listening");
  getsockname(listener, (struct sockaddr*)&address, &size);
  port = address.sin_port;
  guv_http_options options = {.server = "mine", .error_log = -1};
  serve(listener, options);
  options.transport = &plain;
  options.access_line = keep_access;
  options.error_line = keep_error;
  options.log_argument = lines;
  serve(listener, options);
  require(opened == 10 && closed == 9, "each connection had its transport");
  require(strstr(lines, "access: 127.0.0.1 - - [") != NULL, "requests are logged");
  require(strstr(lines, "] \"GET /none HTTP/1.0\" 500 ") != NULL, "with what they were answered");
  require(strstr(lines, "error: the application threw: No such file or directory\n") != NULL, "errors are logged");
  require(finished > 0 && finished <= 9, "ends were said");
  char date[30];
  guv_http_format_date_time(784111777, date);
  require(strcmp(date, "Sun, 06 Nov 1994 08:49:37 GMT") == 0, "dates as RFC 9110 has them");
  require(strcmp(guv_http_reason_phrase(404), "Not Found") == 0, "phrases as RFC 9110 has them");
  puts("EXIT-SUCCESS");
  return 0;
}
