#include "base/log.hpp"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/config.hpp"
#include "base/sys.hpp"

namespace guv {

namespace {

void say_line(const char* format, va_list arguments) {
  const int saved_errno = errno;
  char line[1024] = "guv: ";
  const int prefix = 5;
  int length = vsnprintf(line + prefix, sizeof line - prefix - 1, format, arguments);
  length =
      length < 0 ? prefix : prefix + (length < int(sizeof line) - prefix - 2 ? length : int(sizeof line) - prefix - 2);
  line[length++] = '\n';
  sys::call(SYS_write, 2, line, length);
  errno = saved_errno;
}

}  // namespace

void say(const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  say_line(format, arguments);
  va_end(arguments);
}

void say_verbosely(const char* format, ...) {
  if (!config().verbose) return;
  va_list arguments;
  va_start(arguments, format);
  say_line(format, arguments);
  va_end(arguments);
}

void broken(const char* sentence, const char* file, int line) {
  say("broken invariant: %s (%s:%d)", sentence, file, line);
  __builtin_trap();
}

}  // namespace guv
