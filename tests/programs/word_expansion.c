// wordexp with a command in the words, from threads.
#include "check.h"
#include <wordexp.h>

static void* expand(void* argument) {
  wordexp_t words;
  for (int i = 0; i < 5; i++) {
    CHECK(wordexp("$(echo one two) $((2 * 3)) ~root $GUV_NO_SUCH_VARIABLE end", &words, 0) == 0);
    CHECK(words.we_wordc == 5 && !strcmp(words.we_wordv[0], "one") && !strcmp(words.we_wordv[2], "6"));
    wordfree(&words);
  }
  SHOW(wordexp("$(echo no)", &words, WRDE_NOCMD) == WRDE_CMDSUB);
  return argument;
}

int main(void) {
  pthread_t threads[4];
  for (int i = 0; i < 4; i++) threads[i] = start_thread(expand, NULL);
  for (int i = 0; i < 4; i++) join_thread(threads[i]);
  return success();
}
