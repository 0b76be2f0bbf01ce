// A program that does not know whether guv is there asks by dlsym; the argument says what it shall find.
#include <dlfcn.h>
#include <guv/guv.h>

#include <cstdio>
#include <cstring>
#include <thread>

namespace {

template <class Function>
Function look_up(const char* name) {
  return reinterpret_cast<Function>(dlsym(RTLD_DEFAULT, name));
}

int wrong(const char* what) {
  std::fprintf(stderr, "not so: %s\n", what);
  return 1;
}

}  // namespace

int main(int, char** arguments) {
  const auto version = look_up<decltype(&guv_version)>("guv_version");
  const auto active = look_up<decltype(&guv_active)>("guv_active");
  const auto number = look_up<decltype(&guv_thread_number)>("guv_thread_number");
  const auto count = look_up<decltype(&guv_thread_count)>("guv_thread_count");
  if (std::strcmp(arguments[1], "absent") == 0) return version || active || number || count ? wrong("absent") : 0;
  if (!version || !active || !number || !count) return wrong("all four are exported");
  if (std::strcmp(version(), EXPECTED_VERSION) != 0) return wrong("the version");

  const bool green = std::strcmp(arguments[1], "green") == 0;
  uint64_t inside = 77, alive = 77;
  std::thread([&] {
    inside = number();
    alive = count();
  }).join();
  if (active() != green) return wrong("guv_active");
  if (inside != (green ? 2 : 0)) return wrong("guv_thread_number in a thread");
  if (alive != (green ? 2 : 0)) return wrong("guv_thread_count in a thread");
  if (number() != (green ? 1 : 0)) return wrong("guv_thread_number in main");
  return 0;
}
