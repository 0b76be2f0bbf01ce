// Producers and consumers with a queue between them that holds three items.
#include <guv/guv.hpp>

#include <iostream>
#include <string>

int main() {
  using namespace std::chrono_literals;
  guv::Queue<std::string> queue(3);

  for (int consumer = 0; consumer < 2; ++consumer) {
    guv::spawn_n([&queue, consumer] {
      for (;;) {
        const std::string item = queue.get();
        guv::sleep(1ms);
        std::cout << "consumer " << consumer << " is done with " << item << '\n';
        queue.task_done();
      }
    });
  }
  guv::GreenPool producers;
  for (const char* name : {"apple", "pear", "plum"}) {
    producers.spawn_n([&queue, name] {
      for (int i = 1; i <= 4; ++i) queue.put(std::string(name) + " " + std::to_string(i));
    });
  }
  producers.waitall();  // all items are in the queue, or gone from it
  queue.join();         // and all are done with
  std::cout << "nothing is left\n";
}
