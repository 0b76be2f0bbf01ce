// A library as any: it calls libc by name and by pointer. The tests load it built in several ways.
#include <unistd.h>

static ssize_t (*volatile readers[])(int, void*, size_t) = {read};

ssize_t library_read(int fd, void* buffer, size_t size) { return read(fd, buffer, size); }

ssize_t library_read_by_pointer(int fd, void* buffer, size_t size) { return readers[0](fd, buffer, size); }
