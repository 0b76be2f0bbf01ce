// Regular files: locks of three kinds, positions, stdio.
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "stress.hpp"

namespace stress::files {

namespace {

char directory[64];
FILE* shared_file;
std::atomic<uint64_t> locked_times[2], shared_lines{0};

struct Path {
  char text[128];
  explicit Path(const char* name) { snprintf(text, sizeof text, "%s/%s", directory, name); }
};

const char* const counter_names[] = {"flock", "ofd"};

void lock_file(int fd, bool by_flock, int type) {
  if (by_flock) {
    CHECK(again([&] { return flock(fd, type == F_WRLCK ? LOCK_EX : LOCK_UN); }) == 0);
    return;
  }
  struct flock whole {};
  whole.l_type = static_cast<short>(type);
  CHECK(again([&] { return fcntl(fd, F_OFD_SETLKW, &whole); }) == 0);
}

uint64_t counter_in(const char* name) {
  uint64_t value = 0;
  const int fd = open(Path(name).text, O_RDONLY | O_CLOEXEC);
  CHECK(fd >= 0 && read(fd, &value, sizeof value) == sizeof value && close(fd) == 0);
  return value;
}

}  // namespace

void prepare() {
  snprintf(directory, sizeof directory, "/tmp/guv-stress-XXXXXX");
  CHECK(mkdtemp(directory) != nullptr);
  for (const char* name : counter_names) {
    const uint64_t zero = 0;
    const int fd = open(Path(name).text, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    CHECK(fd >= 0 && write(fd, &zero, sizeof zero) == sizeof zero && close(fd) == 0);
  }
  shared_file = fopen(Path("shared").text, "w+e");
  CHECK(shared_file != nullptr);
}

void settle() {
  for (int i = 0; i < 2; ++i) {
    CHECK(counter_in(counter_names[i]) == locked_times[i]);
    printf("%s: %llu\n", counter_names[i], static_cast<unsigned long long>(locked_times[i]));
    CHECK(unlink(Path(counter_names[i]).text) == 0);
  }
  rewind(shared_file);
  uint64_t lines = 0;
  char line[64];
  for (int first, second; fgets(line, sizeof line, shared_file); ++lines) {
    CHECK(sscanf(line, "%d and %d", &first, &second) == 2 && second == first + 1);
  }
  CHECK(lines == shared_lines && fclose(shared_file) == 0);
  CHECK(unlink(Path("shared").text) == 0 && rmdir(directory) == 0);
}

// Each thread has a description of its own, which is what these locks are about.
void locked_counter(Task& task) {
  const int which = task.random.below(2);
  ++locked_times[which];
  const int fd = open(Path(counter_names[which]).text, O_RDWR | O_CLOEXEC);
  CHECK(fd >= 0);
  lock_file(fd, which == 0, F_WRLCK);
  uint64_t value;
  CHECK(pread(fd, &value, sizeof value, 0) == sizeof value);
  dawdle(task.random);
  ++value;
  CHECK(pwrite(fd, &value, sizeof value, 0) == sizeof value);
  lock_file(fd, which == 0, F_UNLCK);
  CHECK(close(fd) == 0);
}

void positions(Task& task) {
  char name[128];
  snprintf(name, sizeof name, "%s/own-XXXXXX", directory);
  const int fd = mkostemp(name, O_CLOEXEC);
  CHECK(fd >= 0 && unlink(name) == 0);
  uint64_t numbers[64];
  for (uint64_t& number : numbers) number = task.random.next();
  for (size_t i = 0; i < 64; ++i) CHECK(pwrite(fd, &numbers[63 - i], 8, static_cast<off_t>(63 - i) * 8) == 8);
  if (task.random.one_in(4)) CHECK(again([&] { return fdatasync(fd); }) == 0);
  uint64_t sum = 0;
  for (uint64_t number; again([&] { return read(fd, &number, sizeof number); }) == sizeof number;) sum = mix(sum ^ number);
  task.saw(sum);
  struct stat status;
  CHECK(fstat(fd, &status) == 0 && status.st_size == 512 && close(fd) == 0);
}

void streams(Task& task) {
  FILE* file = tmpfile();
  CHECK(file != nullptr);
  const int lines = task.random.from(1, 100);
  for (int i = 0; i < lines; ++i) fprintf(file, "%d %d\n", i, task.random.below(1000));
  rewind(file);
  char* line = nullptr;
  size_t room = 0;
  for (ssize_t length; (length = getline(&line, &room, file)) > 0;) task.saw(static_cast<uint64_t>(atoi(strchr(line, ' '))));
  free(line);
  CHECK(fclose(file) == 0);
}

void shared_stream(Task& task) {
  ++shared_lines;
  const int number = task.random.below(1000);
  if (task.random.one_in(2)) {
    CHECK(fprintf(shared_file, "%d and %d\n", number, number + 1) > 0);
    return;
  }
  flockfile(shared_file);
  fprintf(shared_file, "%d and ", number);
  dawdle(task.random);
  fprintf(shared_file, "%d\n", number + 1);
  funlockfile(shared_file);
}

}  // namespace stress::files
