// An exception that leaves a thread ends the process in abort().
#include "check.h"
#include <stdexcept>
#include <thread>

int main() {
  std::set_terminate([] {
    try { throw; } catch (const std::exception& error) { printf("terminate: %s\n", error.what()); }
    success();
    abort();
  });
  std::thread([] {
    std::this_thread::yield();
    throw std::runtime_error("nobody catches this");
  }).join();
  puts("not reached");
}
