// stress [--seed N] [--threads N] [--seconds N | --rounds N] [--only KIND]
//
// In each round so many threads do a dozen operations each. Prints what the rounds saw, and at the end what the operations of
// each kind saw; see stress.hpp. With --seconds the last line says how many rounds it were, to be repeated with --rounds.
#include <getopt.h>
#include <sys/resource.h>

#include <memory>
#include <vector>

#include "stress.hpp"

namespace {

using namespace stress;

struct Kind {
  const char* name;
  void (*operation)(Task&);
  int weight;
  std::atomic<uint64_t> seen{0}, count{0};
};

Kind kinds[] = {
    {"mutex", &locks::mutex, 60},
    {"mutex errors", &locks::mutex_errors, 20},
    {"robust mutex", &locks::robust_mutex, 10},
    {"rwlock", &locks::rwlock, 40},
    {"condition: queue", &locks::queue, 60},
    {"condition: gate", &locks::gate, 20},
    {"timed waits", &locks::timed_out, 30},
    {"semaphore", &locks::semaphore, 40},
    {"barrier", &locks::barrier, 20},
    {"once", &locks::once, 30},
    {"C++ synchronisation", &locks::cxx, 20},
    {"create, join", &threads::create_join, 30},
    {"detach", &threads::detach, 20},
    {"keys", &threads::keys, 20},
    {"thread variables", &threads::variables, 20},
    {"exceptions", &threads::exceptions, 20},
    {"futures", &threads::futures, 15},
    {"memory", &threads::memory, 30},
    {"dlopen", &threads::library, 10},
    {"streams", &descriptors::stream, 50},
    {"datagrams", &descriptors::datagrams, 20},
    {"connections", &descriptors::connection, 25},
    {"time-outs of descriptors", &descriptors::time_limits, 20},
    {"readiness", &descriptors::readiness, 50},
    {"eventfd, timerfd", &descriptors::counters, 20},
    {"passed descriptors", &descriptors::passing, 15},
    {"locked files", &files::locked_counter, 15},
    {"pread, pwrite", &files::positions, 15},
    {"stdio", &files::streams, 15},
    {"shared stdio", &files::shared_stream, 20},
    {"signals to oneself", &signals::to_myself, 20},
    {"masked signals", &signals::masked, 20},
    {"signals to a thread that waits", &signals::to_blocked_thread, 25},
    {"signals to the process", &signals::to_process, 30},
    {"sigwait", &signals::awaited, 20},
    {"siglongjmp", &signals::jump, 10},
    {"timers", &signals::timers, 10},
    {"cancellation", &cancellation::blocked, 30},
    {"cancellation with a mutex", &cancellation::with_mutex, 20},
    {"cancellation with destructors", &cancellation::with_destructors, 15},
    {"cancellation disabled", &cancellation::disabled, 10},
    {"fork, wait", &processes::fork_wait, 6},
    {"fork with threads", &processes::fork_with_threads, 3},
    {"posix_spawn", &processes::spawn, 3},
    {"system, popen", &processes::shell, 2},
};

struct Options {
  uint64_t seed = 1;
  int threads = 500, rounds = 0, seconds = 60;
  const char* only = nullptr;
};

constexpr int operations_each = 12;

int total_weight(const Options& options) {
  int sum = 0;
  for (Kind& kind : kinds) {
    if (options.only && !strstr(kind.name, options.only)) kind.weight = 0;
    sum += kind.weight;
  }
  CHECK(sum > 0);
  return sum;
}

Kind& choose(Random& random, int weights) {
  int left = random.below(weights);
  Kind* kind = kinds;
  for (; left >= kind->weight; ++kind) left -= kind->weight;
  return *kind;
}

uint64_t do_operations(uint64_t seed, int weights) {
  Random random(seed);
  uint64_t sum = 0;
  for (int i = 0; i < operations_each; ++i) {
    Kind& kind = choose(random, weights);
    Task task(random.next());
    kind.operation(task);
    kind.seen += task.seen();
    ++kind.count;
    sum += task.seen();
  }
  return sum;
}

uint64_t do_round(const Options& options, int round, int weights) {
  locks::begin_round();
  std::atomic<uint64_t> seen{0};
  const auto one = [&seen, weights](uint64_t seed) {
    return [&seen, weights, seed] { seen += do_operations(seed, weights); };
  };
  using Worker = Thread<decltype(one(0))>;
  std::vector<std::unique_ptr<Worker>> workers;
  for (int i = 0; i < options.threads; ++i) {
    const auto number = static_cast<uint64_t>(round) * 1'000'000 + static_cast<uint64_t>(i);
    workers.push_back(std::make_unique<Worker>(one(mix(options.seed ^ mix(number)))));
  }
  for (const auto& worker : workers) CHECK(worker->join());
  return seen;
}

Options parse(int argc, char** argv) {
  Options options;
  const option known[] = {{"seed", 1, nullptr, 's'},    {"threads", 1, nullptr, 't'}, {"seconds", 1, nullptr, 'n'},
                          {"rounds", 1, nullptr, 'r'}, {"only", 1, nullptr, 'o'},    {}};
  for (int letter; (letter = getopt_long(argc, argv, "", known, nullptr)) != -1;) {
    switch (letter) {
      case 's': options.seed = strtoull(optarg, nullptr, 0); break;
      case 't': options.threads = atoi(optarg); break;
      case 'n': options.seconds = atoi(optarg); break;
      case 'r': options.rounds = atoi(optarg); break;
      case 'o': options.only = optarg; break;
      default: exit(2);
    }
  }
  return options;
}

void raise_file_limit() {
  rlimit limit;
  CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
  limit.rlim_cur = limit.rlim_max;
  CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = parse(argc, argv);
  const int weights = total_weight(options);
  raise_file_limit();
  signals::prepare();
  locks::prepare();
  threads::prepare();
  files::prepare();
  const double end = seconds_now() + options.seconds;
  int round = 0;
  while (options.rounds ? round < options.rounds : round == 0 || seconds_now() < end) {
    const uint64_t seen = do_round(options, round, weights);
    printf("round %d: %016llx\n", ++round, static_cast<unsigned long long>(seen));
  }
  for (const Kind& kind : kinds) {
    if (kind.weight == 0) continue;
    printf("%s: %llu, %016llx\n", kind.name, static_cast<unsigned long long>(kind.count), static_cast<unsigned long long>(kind.seen));
  }
  signals::settle();
  locks::settle();
  threads::settle();
  files::settle();
  printf("rounds: %d\n", round);
  return success();
}
