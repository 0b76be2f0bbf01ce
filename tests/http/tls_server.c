/* HTTPS as a C program serves it, and fetches it: as tls_server.cpp. tls_in_C_server CERTIFICATES KEY */
#include <arpa/inet.h>
#include <guv/https.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static guv_http_server* server;
static SSL_CTX* client_context;
static uint16_t port;

static int is(guv_http_text text, const char* expected) {
  return text.size == strlen(expected) && memcmp(text.data, expected, text.size) == 0;
}

/* Copies the parameter of that name, or what stands for it. */
static void parameter(guv_http_request* request, const char* name, const char* otherwise, char value[100]) {
  const guv_http_text given = guv_http_request_parameter(request, name);
  if (given.data) {
    snprintf(value, 100, "%.*s", (int)given.size, given.data);
  } else {
    snprintf(value, 100, "%s", otherwise);
  }
}

/* Asks for /hello. The size of the answer, or an error. */
static ssize_t ask(guv_ssl* ssl, const char* name, char* answer, size_t room) {
  const int error = guv_ssl_connect(ssl, name, GUV_NEVER);
  if (error < 0) return error;
  char request[200];
  const int length =
      snprintf(request, sizeof request, "GET /hello HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", name);
  const ssize_t sent = guv_ssl_write(ssl, request, (size_t)length, GUV_NEVER);
  if (sent < 0) return sent;
  size_t size = 0;
  ssize_t part;
  while ((part = guv_ssl_read(ssl, answer + size, room - size, GUV_NEVER)) > 0) size += (size_t)part;
  return part < 0 ? part : (ssize_t)size;
}

/* What /hello says, or OpenSSL's reason for not asking. */
static int fetch(guv_http_request* request, guv_http_response* response) {
  char name[100], from[100], own[10], answer[1000] = "";
  snprintf(own, sizeof own, "%d", ntohs(port));
  parameter(request, "name", "localhost", name);
  parameter(request, "port", own, from);
  const struct sockaddr_in address = {
      .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(from)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  guv_ssl* ssl = NULL;
  ssize_t result = guv_connect(fd, (const struct sockaddr*)&address, sizeof address, GUV_NEVER);
  if (result == 0) result = guv_ssl_new(&ssl, fd, client_context);
  if (result == 0) result = ask(ssl, name, answer, sizeof answer - 1);
  guv_ssl_free(ssl);
  close(fd);
  if (result == -EPROTO) {
    ERR_error_string_n(ERR_get_error(), answer, sizeof answer);
    return guv_http_response_body(response, answer, strlen(answer));
  }
  const char* body = strstr(answer, "\r\n\r\n");
  if (result < 0 || !body) return result < 0 ? (int)result : -EBADMSG;
  return guv_http_response_body(response, body + 4, strlen(body + 4));
}

static int echo(guv_http_request* request, guv_http_response* response) {
  const size_t size = (size_t)guv_http_request_length(request);
  char* body = malloc(size);
  size_t got = 0;
  ssize_t part;
  while ((part = guv_http_request_read(request, body + got, size - got)) > 0) got += (size_t)part;
  const int result = part < 0 ? (int)part : guv_http_response_body(response, body, got);
  free(body);
  return result;
}

static void talk(guv_websocket* socket, void* argument) {
  (void)argument;
  guv_websocket_message message;
  while (guv_websocket_wait(socket, &message, GUV_NEVER) == 1) {
    guv_websocket_send(socket, message.data, message.size, message.is_text);
  }
}

static int app(guv_http_request* request, guv_http_response* response, void* argument) {
  (void)argument;
  static char big[1 << 21];
  const guv_http_text path = guv_http_request_path(request);
  if (is(path, "/echo")) return echo(request, response);
  if (is(path, "/ws")) return guv_http_response_websocket(response, request, talk, NULL, NULL);
  if (is(path, "/big")) return guv_http_response_body(response, memset(big, 'x', sizeof big), sizeof big);
  if (is(path, "/fetch")) return fetch(request, response);
  char hello[50];
  const guv_http_text scheme = guv_http_request_environ(request, "REQUEST_SCHEME");
  return guv_http_response_body(response, hello, (size_t)sprintf(hello, "Hello, %.*s!", (int)scheme.size, scheme.data));
}

static void stop(int number) {
  (void)number;
  guv_http_server_stop(server, 30000000000);
}

int main(int count, char** arguments) {
  if (count != 3) return 2;
  SSL_CTX* context = SSL_CTX_new(TLS_server_method());
  client_context = SSL_CTX_new(TLS_client_method());
  SSL_CTX_set_verify(client_context, SSL_VERIFY_PEER, NULL);
  if (SSL_CTX_use_certificate_chain_file(context, arguments[1]) != 1 ||
      SSL_CTX_use_PrivateKey_file(context, arguments[2], SSL_FILETYPE_PEM) != 1 ||
      SSL_CTX_load_verify_locations(client_context, arguments[1], NULL) != 1) {
    ERR_print_errors_fp(stderr);
    return 1;
  }
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  const int listener = guv_listen((const struct sockaddr*)&address, size, 511);
  if (listener < 0 || getsockname(listener, (struct sockaddr*)&address, &size) != 0) return 1;
  port = address.sin_port;

  const guv_http_transport tls = guv_http_over_ssl(context);
  const guv_http_options options = {.head_timeout = 5000000000, .max_body = 1 << 20, .transport = &tls};
  if (guv_http_server_new(&server, listener, app, NULL, &options) < 0) return 1;
  signal(SIGTERM, stop);
  printf("listening %d\n", ntohs(port));
  fflush(stdout);
  const int result = guv_http_server_run(server);
  guv_http_server_free(server);
  SSL_CTX_free(client_context);
  SSL_CTX_free(context);
  return result < 0;
}
