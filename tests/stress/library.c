// Opened and closed by many threads at once: its constructor and destructor block and start threads, and it has a variable
// in each thread.
#include "../programs/check.h"

static __thread int own = 2;
static int factor;

static void* set_factor(void* value) {
  usleep(200);
  factor = (int)(intptr_t)value;
  return NULL;
}

__attribute__((constructor)) static void begin(void) { join_thread(start_thread(set_factor, (void*)1)); }
__attribute__((destructor)) static void end(void) { set_factor(NULL); }

int stress_doubled(int value);
int stress_doubled(int value) { return value * own * factor; }
