// Every receiving call waits until there is something, on each kind of connection; every sending call is heard.
#include "pairs.h"
#include <sys/uio.h>

enum { senders = 6, receivers = 6 };
static const char* const send_names[] = {"write", "writev", "send", "sendto", "sendmsg", "sendmmsg"};
static const char* const receive_names[] = {"read", "readv", "recv", "recvfrom", "recvmsg", "recvmmsg"};

static ssize_t send_by(int how, int fd, char* text, size_t size) {
  struct iovec vector[2] = {{text, 3}, {text + 3, size - 3}};
  struct mmsghdr message = {.msg_hdr = {.msg_iov = vector, .msg_iovlen = 2}};
  switch (how) {
    case 0: return write(fd, text, size);
    case 1: return writev(fd, vector, 2);
    case 2: return send(fd, text, size, 0);
    case 3: return sendto(fd, text, size, 0, NULL, 0);
    case 4: return sendmsg(fd, &message.msg_hdr, MSG_NOSIGNAL);
    default: return sendmmsg(fd, &message, 1, 0) == 1 ? (ssize_t)message.msg_len : -1;
  }
}
static ssize_t receive_by(int how, int fd, char* text, size_t size) {
  struct iovec vector[2] = {{text, 5}, {text + 5, size - 5}};
  struct sockaddr_storage from;
  socklen_t length = sizeof from;
  struct mmsghdr message = {.msg_hdr = {.msg_iov = vector, .msg_iovlen = 2}};
  switch (how) {
    case 0: return read(fd, text, size);
    case 1: return readv(fd, vector, 2);
    case 2: return recv(fd, text, size, 0);
    case 3: return recvfrom(fd, text, size, 0, (struct sockaddr*)&from, &length);
    case 4: return recvmsg(fd, &message.msg_hdr, 0);
    default: return recvmmsg(fd, &message, 1, 0, NULL) == 1 ? (ssize_t)message.msg_len : -1;
  }
}

static int ends[2];
static void* receiver(void* argument) {
  char text[100] = "";
  ssize_t got = receive_by((int)(intptr_t)argument, ends[1], text, sizeof text);
  CHECK(got == 12 && memcmp(text, "hello, world", 12) == 0);
  return NULL;
}

int main(void) {
  for (int kind = 0; kind < KINDS; kind++) {
    make_pair(kind, ends);
    for (int send = 0; send < senders; send++) {
      for (intptr_t receive = 0; receive < receivers; receive++) {
        pthread_t thread = start_thread(receiver, (void*)receive);
        for (int i = 0; i < 50; i++) sched_yield();
        char text[] = "hello, world";
        CHECK(send_by(send, ends[0], text, 12) == 12);
        join_thread(thread);
      }
      printf("%s: %s heard by %s to %s\n", kind_names[kind], send_names[send], receive_names[0], receive_names[receivers - 1]);
    }
    close_pair(ends);
  }
  return success();
}
