// What a thread changes of its own state in the kernel holds for its next calls, wherever these are made: capabilities,
// no_new_privs, the working directory of its own, identity for files, personality, priority.
#include "top.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <sys/fsuid.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

int capset(void*, const void*);  // no header of libc's has it

/// A line of a file about the calling thread.
static void show(const char* file, const char* name) {
  char text[8192] = {0};
  int fd = open(file, O_RDONLY);
  CHECK(fd >= 0 && read(fd, text, sizeof text - 1) > 0);
  close(fd);
  char* line = strstr(text, name);
  CHECK(line);
  line[strcspn(line, "\n")] = '\0';
  puts(line);
}

static void show_nice(void) {
  char text[1024] = {0};
  int fd = open("/proc/thread-self/stat", O_RDONLY);
  CHECK(fd >= 0 && read(fd, text, sizeof text - 1) > 0);
  close(fd);
  int nice = -1;
  CHECK(sscanf(strrchr(text, ')'), ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %d", &nice) == 1);
  printf("nice %d\n", nice);
}

static void drop_capability(int which) {
  struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct data[2];
  CHECK(syscall(SYS_capget, &head, data) == 0);
  data[which / 32].effective &= ~(1u << (which % 32));
  CHECK(which == CAP_DAC_OVERRIDE ? capset(&head, data) == 0 : syscall(SYS_capset, &head, data) == 0);
}

static void* change_everything(void* unused) {
  struct stat s;
  int fd = open(in_top("file"), O_CREAT | O_RDWR, 0);
  CHECK(fd >= 0 && fsync(fd) == 0);  // on a helper, which is idle from now on
  close(fd);
  SHOW(close(open(in_top("file"), O_RDWR)));
  drop_capability(CAP_DAC_OVERRIDE);
  drop_capability(CAP_DAC_READ_SEARCH);
  SHOW(open(in_top("file"), O_RDWR));
  SHOW(truncate(in_top("file"), 1));

  SHOW(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
  show("/proc/thread-self/status", "NoNewPrivs");

  SHOW(unshare(CLONE_FS));
  SHOW(chdir(top));
  SHOW(access("file", F_OK));
  umask(077);
  fd = open("other", O_CREAT | O_RDWR, 0666);
  CHECK(fd >= 0 && fstat(fd, &s) == 0);
  printf("mode %o\n", (unsigned)s.st_mode & 0777);
  close(fd);

  SHOW(setpriority(PRIO_PROCESS, 0, 5));
  show_nice();
  SHOW(nice(1));
  show_nice();
  SHOW(personality(ADDR_NO_RANDOMIZE));
  show("/proc/thread-self/personality", "");

  SHOW(setns(-1, 0));
  SHOW(setfsgid(65534));
  SHOW(setfsuid(65534));
  SHOW(mkdir(in_top("directory"), 0700));
  return unused;
}

static void* nothing(void* unused) { return unused; }

int main(void) {
  if (geteuid() != 0) {
    puts("skipped: only root can give something up");
    return 77;
  }
  CHECK(mkdtemp(top));
  join_thread(start_thread(nothing, NULL));
  const pid_t child = fork();
  if (child == 0) {
    join_thread(start_thread(change_everything, NULL));
    _exit(0);
  }
  int status;
  CHECK(waitpid(child, &status, 0) == child && status == 0);
  CHECK(unlink(in_top("file")) == 0 && unlink(in_top("other")) == 0 && rmdir(top) == 0);
  return success();
}
