// A library that imports nothing.
int library_answer(void) { return 42; }
