// Opened by dlopen_thread: a constructor that blocks for a moment, and a thread variable.
#include "check.h"

static __thread int variable = 42;
static int value;
int* plugin_variable(void);
int plugin_initialised(void);
int* plugin_variable(void) { return &variable; }
int plugin_initialised(void) { return value; }
__attribute__((constructor)) static void initialise(void) {
  usleep(20000);
  value = 17;
}
