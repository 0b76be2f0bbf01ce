// File descriptors and credentials sent over UNIX sockets to a waiting thread.
#include "pairs.h"

static int ends[2];
static void* receive(void* argument) {
  char byte;
  struct iovec vector = {&byte, 1};
  union { char bytes[CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))]; struct cmsghdr align; } control;
  struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  CHECK(recvmsg(ends[1], &message, MSG_CMSG_CLOEXEC) == 1);
  int fd = -1;
  for (struct cmsghdr* header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_type == SCM_RIGHTS) memcpy(&fd, CMSG_DATA(header), sizeof fd);
    if (header->cmsg_type == SCM_CREDENTIALS) {
      struct ucred who;
      memcpy(&who, CMSG_DATA(header), sizeof who);
      printf("credentials: %s\n", who.pid == getpid() ? "ours" : "other");
    }
  }
  CHECK(fd >= 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC);
  char text[20];
  ssize_t got = read(fd, text, sizeof text);
  printf("through the passed fd: %.*s\n", (int)got, text);
  close(fd);
  return argument;
}

int main(void) {
  int pipes[2], one = 1;
  make_pair(UNIX_STREAM, ends);
  CHECK(pipe(pipes) == 0);
  CHECK(setsockopt(ends[1], SOL_SOCKET, SO_PASSCRED, &one, sizeof one) == 0);
  for (int i = 0; i < 20; i++) {
    pthread_t thread = start_thread(receive, NULL);
    for (int j = 0; j < 50; j++) sched_yield();
    struct iovec vector = {(char*)"x", 1};
    union { char bytes[CMSG_SPACE(sizeof(int))]; struct cmsghdr align; } control;
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    struct cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(header), &pipes[0], sizeof(int));
    CHECK(sendmsg(ends[0], &message, 0) == 1);
    CHECK(write(pipes[1], "hello", 5) == 5);
    join_thread(thread);
  }
  return success();
}
