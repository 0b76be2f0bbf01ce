// A library that leaves reading to another one.
#include <sys/types.h>

ssize_t library_read(int fd, void* buffer, size_t size);

ssize_t dependent_read(int fd, void* buffer, size_t size) { return library_read(fd, buffer, size); }
