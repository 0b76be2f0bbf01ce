// Opened by dlopen_contended and dlopen_first_thread: a constructor and a destructor that block and start a thread.
#include "check.h"

static int value;
static void* set_value(void* argument) {
  usleep(1000);
  value = (int)(intptr_t)argument;
  return argument;
}
int plugin_threads_value(void);
int plugin_threads_value(void) { return value; }
__attribute__((constructor)) static void begin(void) { join_thread(start_thread(set_value, (void*)17)); }
__attribute__((destructor)) static void end(void) { join_thread(start_thread(set_value, (void*)0)); }
