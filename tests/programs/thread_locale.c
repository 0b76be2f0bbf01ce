// uselocale is per thread: two threads in different locales take turns and each keeps its own.
#include "check.h"
#include <ctype.h>
#include <locale.h>
#include <wchar.h>

static pthread_barrier_t barrier;
static void* work(void* argument) {
  const char* name = argument;
  locale_t mine = newlocale(LC_ALL_MASK, name, (locale_t)0);
  CHECK(mine);
  CHECK(uselocale((locale_t)0) == LC_GLOBAL_LOCALE);
  CHECK(uselocale(mine) == LC_GLOBAL_LOCALE);
  size_t width = 0;
  for (int i = 0; i < 100; i++) {
    pthread_barrier_wait(&barrier);
    CHECK(uselocale((locale_t)0) == mine);
    mbstate_t state;
    memset(&state, 0, sizeof state);
    wchar_t wide;
    width = mbrtowc(&wide, "\xc3\xa9", 2, &state);
    CHECK(MB_CUR_MAX == (strcmp(name, "C") == 0 ? 1 : 6));
    CHECK(isalpha('x') && !isalpha('1'));
  }
  uselocale(LC_GLOBAL_LOCALE);
  freelocale(mine);
  return (void*)(intptr_t)(width == 2);
}

int main(void) {
  pthread_barrier_init(&barrier, NULL, 2);
  pthread_t plain = start_thread(work, (void*)"C"), utf8 = start_thread(work, (void*)"C.UTF-8");
  printf("C reads two bytes as one character: %ld\n", (long)(intptr_t)join_thread(plain));
  printf("C.UTF-8 reads two bytes as one character: %ld\n", (long)(intptr_t)join_thread(utf8));
  CHECK(MB_CUR_MAX == 1);
  return success();
}
