// A disk that turns slow holds everybody up once. Another process decides about each open of a file (fanotify(7)): the first
// it lets wait for a while, all others until several threads wait at the same time.
#include "shared.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/fanotify.h>
#include <sys/wait.h>

enum { CALLERS = 8, PATIENCE = 10 };

static char path[] = "/tmp/guv-slow-open-XXXXXX";
static _Atomic int* most;
static int listener;

static void allow(int fd) {
  const struct fanotify_response answer = {.fd = fd, .response = FAN_ALLOW};
  if (write(listener, &answer, sizeof answer) != sizeof answer) _exit(2);
  close(fd);
}

static void decide(void) {
  int waiting[CALLERS], count = 0, seen = 0;
  for (;;) {
    struct pollfd asked = {listener, POLLIN, 0};
    if (poll(&asked, 1, count ? PATIENCE * 1000 : -1) > 0) {
      struct fanotify_event_metadata event;
      if (read(listener, &event, sizeof event) != sizeof event) _exit(3);
      if (seen++ == 0) {
        usleep(20000);
        allow(event.fd);
        continue;
      }
      waiting[count++] = event.fd;
      if (*most < count) *most = count;
      if (count < CALLERS) continue;
    }
    while (count) allow(waiting[--count]);
  }
}

static void* open_it(void* unused) {
  int fd = open(path, O_RDONLY);
  CHECK(fd >= 0 && close(fd) == 0);
  return unused;
}

int main(void) {
  most = share(sizeof *most);
  int fd = mkstemp(path);
  CHECK(fd >= 0);
  close(fd);
  listener = fanotify_init(FAN_CLASS_CONTENT | FAN_CLOEXEC, O_RDONLY);
  if (listener < 0 || fanotify_mark(listener, FAN_MARK_ADD, FAN_OPEN_PERM, AT_FDCWD, path) != 0) {
    printf("skipped: opens cannot be decided about: %s\n", errno_name(errno));
    unlink(path);
    return 77;
  }
  const pid_t decider = fork();
  if (decider == 0) decide();
  close(listener);

  join_thread(start_thread(open_it, NULL));
  pthread_t callers[CALLERS];
  for (int i = 0; i < CALLERS; i++) callers[i] = start_thread(open_it, NULL);
  for (int i = 0; i < CALLERS; i++) join_thread(callers[i]);
  printf("%d at the same time\n", *most);

  CHECK(kill(decider, SIGKILL) == 0 && waitpid(decider, NULL, 0) == decider && unlink(path) == 0);
  return success();
}
