// Ten green threads, their results, and what happens to one that fails.
#include <guv/guv.hpp>

#include <iostream>
#include <vector>

int main() {
  using namespace std::chrono_literals;

  std::vector<guv::GreenThread<int>> threads;
  for (int i = 0; i < 10; ++i) {
    threads.push_back(guv::spawn([i] {
      guv::sleep(10ms);  // the others run meanwhile: all ten take as long as one
      return i * i;
    }));
  }
  for (auto& thread : threads) std::cout << thread.get() << '\n';

  auto failing = guv::spawn([] { throw std::runtime_error("no luck"); });
  try {
    failing.get();
  } catch (const std::runtime_error& error) {
    std::cout << "the thread threw: " << error.what() << '\n';
  }
}
