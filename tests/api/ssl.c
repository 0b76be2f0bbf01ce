/* ssl.h: both sides of TLS on a pair of sockets. No certificates: the ciphers are anonymous ones. */
#include <guv/ssl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SECOND INT64_C(1000000000)

static SSL_CTX *server_context, *client_context;

static void require(int truth, const char* what) {
  if (truth) return;
  printf("not so: %s\n", what);
  ERR_print_errors_fp(stdout);
  fflush(stdout);
  _exit(1);
}

static SSL_CTX* anonymous(const SSL_METHOD* method) {
  SSL_CTX* context = SSL_CTX_new(method);
  require(context && SSL_CTX_set_max_proto_version(context, TLS1_2_VERSION), "a context");
  require(SSL_CTX_set_cipher_list(context, "aNULL:@SECLEVEL=0"), "anonymous ciphers");
  return context;
}

static void* connects(void* client) {
  require(guv_ssl_connect(client, "localhost", GUV_NEVER) == 0, "the client's handshake");
  return NULL;
}

/* The first socket is the server's. */
static void make(int fd[2], guv_ssl** server, guv_ssl** client) {
  require(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) == 0, "a pair of sockets");
  require(guv_ssl_new(server, fd[0], server_context) == 0 && guv_ssl_new(client, fd[1], client_context) == 0, "made");
}

static void shake_hands(int fd[2], guv_ssl** server, guv_ssl** client) {
  make(fd, server, client);
  guv_thread* connecting;
  require(guv_spawn(&connecting, connects, *client) == 0, "spawned");
  require(guv_ssl_accept(*server, GUV_NEVER) == 0, "the server's handshake");
  require(guv_thread_wait(connecting, NULL, GUV_NEVER) == 0, "both have shaken hands");
  guv_thread_release(connecting);
}

static void end(const int fd[2], guv_ssl* server, guv_ssl* client) {
  guv_ssl_free(server);
  guv_ssl_free(client);
  close(fd[0]);
  close(fd[1]);
}

/* Sends back what comes, up to the end. */
static void* repeats(void* server) {
  char buffer[5000];
  ssize_t size;
  while ((size = guv_ssl_read(server, buffer, sizeof buffer, GUV_NEVER)) > 0) {
    for (ssize_t done = 0, part; done < size; done += part) {
      part = guv_ssl_write(server, buffer + done, (size_t)(size - done), GUV_NEVER);
      require(part > 0, "written back");
    }
  }
  require(size == 0, "the end is announced");
  require(guv_ssl_shutdown(server, GUV_NEVER) == 0, "announced in turn");
  return NULL;
}

/* More than the sockets hold, in one direction while it comes back in the other. */
enum { much = 3000000 };

static void* writes_much(void* client) {
  static char piece[100000];
  for (size_t done = 0; done < much;) {
    const size_t left = sizeof piece - done % sizeof piece;
    const ssize_t part = guv_ssl_write(client, piece + done % sizeof piece, left, GUV_NEVER);
    require(part > 0, "written");
    done += (size_t)part;
  }
  require(guv_ssl_write(client, "", 0, 0) == 0, "nothing to be written");
  require(guv_ssl_shutdown(client, GUV_NEVER) == 0, "the end is announced");
  require(guv_ssl_write(client, "x", 1, GUV_NEVER) < 0, "nothing is written after the end");
  return NULL;
}

static void one_reads_while_another_writes(void) {
  int fd[2];
  guv_ssl *server, *client;
  shake_hands(fd, &server, &client);
  require(SSL_is_init_finished(guv_ssl_handle(client)), "OpenSSL tells of the connection");
  guv_thread *repeating, *writing;
  require(guv_spawn(&repeating, repeats, server) == 0 && guv_spawn(&writing, writes_much, client) == 0, "spawned");
  static char buffer[20000];
  size_t got = 0;
  ssize_t size;
  while ((size = guv_ssl_read(client, buffer, sizeof buffer, GUV_NEVER)) > 0) got += (size_t)size;
  require(size == 0 && got == much, "all comes back");
  guv_thread_wait(writing, NULL, GUV_NEVER);
  guv_thread_wait(repeating, NULL, GUV_NEVER);
  guv_thread_release(writing);
  guv_thread_release(repeating);
  end(fd, server, client);
}

static void pieces_are_joined(void) {
  int fd[2];
  guv_ssl *server, *client;
  shake_hands(fd, &server, &client);
  static char big[20000];
  struct iovec pieces[] = {{NULL, 0}, {(char[]){"abc"}, 3}, {NULL, 0}, {(char[]){"de"}, 2}, {big, sizeof big}};
  require(guv_ssl_writev(server, pieces, 4, GUV_NEVER) == 5, "five bytes");
  char buffer[16384];
  require(guv_ssl_read(client, buffer, sizeof buffer, GUV_NEVER) == 5 && memcmp(buffer, "abcde", 5) == 0, "as one");
  require(guv_ssl_writev(server, pieces, 5, GUV_NEVER) == 16384, "as many as a record has");
  require(guv_ssl_read(client, buffer, sizeof buffer, GUV_NEVER) == 16384, "a record");
  require(guv_ssl_writev(server, pieces, 1, GUV_NEVER) == 0, "none");
  end(fd, server, client);
}

static void deadlines(void) {
  int fd[2];
  guv_ssl *server, *client;
  make(fd, &server, &client);
  require(guv_ssl_accept(server, guv_now() + SECOND / 100) == -ETIMEDOUT, "no client shakes hands");
  require(guv_ssl_connect(client, "localhost", guv_now() + SECOND / 100) == -ETIMEDOUT, "no server does");
  guv_thread* connecting;
  require(guv_spawn(&connecting, connects, client) == 0, "spawned");
  require(guv_ssl_accept(server, GUV_NEVER) == 0, "the handshake goes on");
  guv_thread_wait(connecting, NULL, GUV_NEVER);
  guv_thread_release(connecting);
  char byte;
  require(guv_ssl_read(server, &byte, 1, 0) == -ETIMEDOUT, "nothing is there");
  require(guv_ssl_read(server, &byte, 1, guv_now() + SECOND / 100) == -ETIMEDOUT, "nothing comes");
  require(guv_ssl_write(client, "x", 1, GUV_NEVER) == 1, "written");
  require(guv_ssl_read(server, &byte, 1, GUV_NEVER) == 1 && byte == 'x', "it comes after all");
  end(fd, server, client);
}

static void* reads(void* server) {
  char byte;
  return (void*)(intptr_t)guv_ssl_read(server, &byte, 1, GUV_NEVER);
}

static void a_kill_ends_a_read(void) {
  int fd[2];
  guv_ssl *server, *client;
  shake_hands(fd, &server, &client);
  guv_thread* reading;
  void* result;
  require(guv_spawn(&reading, reads, server) == 0, "spawned");
  guv_yield();
  require(guv_thread_kill(reading) == 0, "it has begun");
  require(guv_thread_wait(reading, &result, GUV_NEVER) == 0 && (intptr_t)result == -ECANCELED, "its read ends");
  guv_thread_release(reading);
  end(fd, server, client);
}

static void* reads_when_cancelled(void* server) {
  pthread_cancel(pthread_self());
  return reads(server);
}

static void a_cancellation_leaves_the_connection_usable(void) {
  int fd[2];
  guv_ssl *server, *client;
  shake_hands(fd, &server, &client);
  guv_thread* reading;
  require(guv_spawn(&reading, reads_when_cancelled, server) == 0, "spawned");
  require(guv_thread_wait(reading, NULL, GUV_NEVER) == -ECANCELED, "it is cancelled");
  guv_thread_release(reading);
  char byte;
  require(guv_ssl_write(server, "x", 1, GUV_NEVER) == 1, "another thread writes");
  require(guv_ssl_read(client, &byte, 1, GUV_NEVER) == 1 && byte == 'x', "it comes");
  end(fd, server, client);
}

static void ends_that_nobody_announced(void) {
  int fd[2];
  guv_ssl *server, *client;
  shake_hands(fd, &server, &client);
  shutdown(fd[1], SHUT_RDWR);
  char byte;
  require(guv_ssl_read(server, &byte, 1, GUV_NEVER) < 0, "the connection just ends");
  require(guv_ssl_shutdown(server, GUV_NEVER) == 0, "there is nothing to be announced");
  end(fd, server, client);

  make(fd, &server, &client);
  shutdown(fd[1], SHUT_RDWR);
  require(guv_ssl_accept(server, GUV_NEVER) < 0, "nobody shakes hands any more");
  end(fd, server, client);

  const char close_notify[] = "\x15\x03\x03\x00\x02\x01";
  make(fd, &server, &client);
  require(send(fd[0], close_notify, sizeof close_notify, 0) == sizeof close_notify, "sent");
  require(guv_ssl_connect(client, NULL, GUV_NEVER) == -ECONNRESET, "the server ends the handshake");
  end(fd, server, client);
}

static void what_is_no_tls(void) {
  int fd[2];
  guv_ssl *server, *client;
  make(fd, &server, &client);
  require(send(fd[1], "GET / HTTP/1.0\r\n\r\n", 18, 0) == 18, "sent");
  require(guv_ssl_accept(server, GUV_NEVER) == -EPROTO, "it is no TLS");
  require(ERR_GET_REASON(ERR_get_error()) == SSL_R_HTTP_REQUEST, "OpenSSL says what it is");
  end(fd, server, client);
}

int main(void) {
  server_context = anonymous(TLS_server_method());
  client_context = anonymous(TLS_client_method());
  one_reads_while_another_writes();
  pieces_are_joined();
  deadlines();
  a_kill_ends_a_read();
  a_cancellation_leaves_the_connection_usable();
  ends_that_nobody_announced();
  what_is_no_tls();
  SSL_CTX_free(server_context);
  SSL_CTX_free(client_context);
  puts("EXIT-SUCCESS");
  return 0;
}
