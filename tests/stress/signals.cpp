// Signals to threads and to the process, standard and queued; masks, sigwait, signalfd, siglongjmp, timers.
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>

#include "stress.hpp"

namespace stress::signals {

namespace {

// Real-time signals and what becomes of them.
int queued() { return SIGRTMIN + 1; }      // to a thread; its handler adds the value up
int restarting() { return SIGRTMIN + 2; }  // to the process; its handler adds the value up, with SA_RESTART
int ending() { return SIGRTMIN + 3; }      // likewise without
int awaited_by_thread() { return SIGRTMIN + 4; }
int awaited_by_collector() { return SIGRTMIN + 5; }
int awaited_by_descriptor() { return SIGRTMIN + 6; }
int jumping() { return SIGRTMIN + 7; }
int of_timers() { return SIGRTMIN + 8; }

thread_local std::atomic<int>* handled;  // by this thread's handlers; counted only where somebody asks
thread_local uint64_t values_seen;
thread_local sigjmp_buf* jump_to;
std::atomic<uint64_t> received{0}, sent{0};
std::atomic<uint64_t> collected{0}, to_collect{0};
pthread_t collector;

void count(int) {
  if (handled) ++*handled;
}
void note_value(int, siginfo_t* info, void*) { values_seen = mix(values_seen ^ static_cast<uint64_t>(info->si_value.sival_int)); }
void add_value(int, siginfo_t* info, void*) {
  CHECK(info->si_code == SI_QUEUE && info->si_pid == getpid());
  received += static_cast<uint64_t>(info->si_value.sival_int);
}
void jump_away(int) { siglongjmp(*jump_to, 1); }
void count_timer(int, siginfo_t* info, void*) {
  CHECK(info->si_code == SI_TIMER);
  ++*static_cast<std::atomic<int>*>(info->si_value.sival_ptr);
}

// The kernel may put the frames of two handlers on the stack before either runs: a jump out of the upper one would lose the
// lower one's signal.
void mask_jumps(struct sigaction& action) { CHECK(sigaddset(&action.sa_mask, jumping()) == 0); }

void handle(int signal, void (*handler)(int, siginfo_t*, void*), int flags) {
  struct sigaction action {};
  action.sa_sigaction = handler;
  action.sa_flags = flags | SA_SIGINFO;
  mask_jumps(action);
  CHECK(sigaction(signal, &action, nullptr) == 0);
}

void handle(int signal, void (*handler)(int), int flags) {
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = flags;
  mask_jumps(action);
  CHECK(sigaction(signal, &action, nullptr) == 0);
}

sigset_t set_of(int signal) {
  sigset_t set;
  CHECK(sigemptyset(&set) == 0 && sigaddset(&set, signal) == 0);
  return set;
}

sigval value_of(int number) {
  sigval value{};
  value.sival_int = number;
  return value;
}

// signal(7): the queue of pending signals has an end.
void queue_to_process(int signal, int number) {
  while (sigqueue(getpid(), signal, value_of(number)) != 0) {
    CHECK(errno == EAGAIN);
    sched_yield();
  }
}

void queue_to(pthread_t thread, int signal, int number) {
  int error;
  while ((error = pthread_sigqueue(thread, signal, value_of(number))) == EAGAIN) sched_yield();
  CHECK(error == 0);
}

void* collect(void*) {
  const sigset_t set = set_of(awaited_by_collector());
  for (;;) {
    siginfo_t info;
    CHECK(again([&] { return sigwaitinfo(&set, &info); }) == awaited_by_collector());
    if (info.si_value.sival_int == 0) return nullptr;
    collected += static_cast<uint64_t>(info.si_value.sival_int);
  }
}

void wait_until_equal(const std::atomic<uint64_t>& is, const std::atomic<uint64_t>& wanted) {
  const double end = seconds_now() + 60;
  while (is != wanted && seconds_now() < end) pause_for(1000);
  if (is != wanted) printf("%llu of %llu came\n", static_cast<unsigned long long>(is), static_cast<unsigned long long>(wanted));
  CHECK(is == wanted);
}

}  // namespace

void prepare() {
  handle(SIGUSR1, &count, SA_RESTART);
  handle(SIGUSR2, &count, 0);
  handle(queued(), &note_value, SA_RESTART);
  handle(restarting(), &add_value, SA_RESTART);
  handle(ending(), &add_value, 0);
  handle(jumping(), &jump_away, 0);
  handle(of_timers(), &count_timer, SA_RESTART);
  sigset_t everywhere = set_of(awaited_by_thread());
  sigaddset(&everywhere, awaited_by_collector());
  sigaddset(&everywhere, awaited_by_descriptor());
  CHECK(pthread_sigmask(SIG_BLOCK, &everywhere, nullptr) == 0);
  collector = start_thread(collect, nullptr);
}

void settle() {
  wait_until_equal(received, sent);
  wait_until_equal(collected, to_collect);
  queue_to_process(awaited_by_collector(), 0);
  join_thread(collector);
  printf("received: %llu, collected: %llu\n", static_cast<unsigned long long>(received), static_cast<unsigned long long>(collected));
}

void to_myself(Task& task) {
  std::atomic<int> times{0};
  handled = &times;
  const int count = task.random.from(1, 4);
  for (int i = 1; i <= count; ++i) {
    const int signal = task.random.one_in(2) ? SIGUSR1 : SIGUSR2;
    switch (task.random.below(3)) {
      case 0: CHECK(raise(signal) == 0); break;
      case 1: CHECK(pthread_kill(pthread_self(), signal) == 0); break;
      default: CHECK(tgkill(getpid(), gettid(), signal) == 0); break;
    }
    CHECK(times == i);
  }
  handled = nullptr;
  values_seen = 0;
  queue_to(pthread_self(), queued(), count);
  task.saw(values_seen);
}

void masked(Task& task) {
  std::atomic<int> times{0};
  handled = &times;
  values_seen = 0;
  sigset_t set = set_of(SIGUSR1), before, pending;
  sigaddset(&set, queued());
  CHECK(pthread_sigmask(SIG_BLOCK, &set, &before) == 0);
  const int count = task.random.from(1, 5);
  for (int i = 0; i < count; ++i) {
    CHECK(raise(SIGUSR1) == 0);
    queue_to(pthread_self(), queued(), task.random.below(1000));
    dawdle(task.random);
  }
  CHECK(times == 0 && values_seen == 0);
  CHECK(sigpending(&pending) == 0 && sigismember(&pending, SIGUSR1) == 1 && sigismember(&pending, queued()) == 1);
  CHECK(sigismember(&pending, SIGUSR2) == 0);
  CHECK(pthread_sigmask(SIG_SETMASK, &before, nullptr) == 0);
  CHECK(times == 1);  // standard signals do not queue
  task.saw(values_seen);
  handled = nullptr;
}

void to_blocked_thread(Task& task) {
  std::atomic<int> times{0};
  std::atomic<bool> going{false}, released{false}, gone{false};
  sem_t semaphore;
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
  int ends[2];
  CHECK(sem_init(&semaphore, 0, 0) == 0 && pipe(ends) == 0);
  const int way = task.random.below(7), signal = task.random.one_in(2) ? SIGUSR1 : SIGUSR2;
  if (way == 3) CHECK(pthread_mutex_lock(&mutex) == 0);
  Thread blocked([&] {
    handled = &times;
    going = true;
    char byte;
    switch (way) {
      case 0: CHECK(again([&] { return sem_wait(&semaphore); }) == 0); break;
      case 1: CHECK(again([&] { return read(ends[0], &byte, 1); }) == 1); break;
      case 2:
        while (!released) {
          timespec a_moment{0, 1'000'000};
          nanosleep(&a_moment, nullptr);
        }
        break;
      case 3:
        CHECK(pthread_mutex_lock(&mutex) == 0);
        CHECK(pthread_mutex_unlock(&mutex) == 0);
        break;
      case 4:
        CHECK(pthread_mutex_lock(&mutex) == 0);
        while (!released) CHECK(pthread_cond_wait(&cond, &mutex) == 0);
        CHECK(pthread_mutex_unlock(&mutex) == 0);
        break;
      case 5:
        while (!released) pause();
        break;
      default: {
        const int set = epoll_create1(EPOLL_CLOEXEC);
        epoll_event event{EPOLLIN, {}};
        CHECK(epoll_ctl(set, EPOLL_CTL_ADD, ends[0], &event) == 0);
        CHECK(again([&] { return epoll_wait(set, &event, 1, -1); }) == 1 && close(set) == 0);
      }
    }
    handled = nullptr;
    gone = true;
  });
  while (!going) sched_yield();
  const int count = task.random.from(1, 3);
  for (int i = 1; i <= count; ++i) {
    dawdle(task.random);
    CHECK(pthread_kill(blocked.handle(), signal) == 0);
    while (times < i) sched_yield();
  }
  released = true;
  CHECK(sem_post(&semaphore) == 0 && write(ends[1], "x", 1) == 1);
  if (way == 3) CHECK(pthread_mutex_unlock(&mutex) == 0);
  if (way == 4) {
    CHECK(pthread_mutex_lock(&mutex) == 0 && pthread_cond_signal(&cond) == 0 && pthread_mutex_unlock(&mutex) == 0);
  }
  if (way == 5) {
    while (!gone) {
      CHECK(pthread_kill(blocked.handle(), signal) == 0);
      pause_for(100);
    }
  }
  CHECK(blocked.join());
  task.saw(static_cast<uint64_t>(count));
  CHECK(close(ends[0]) == 0 && close(ends[1]) == 0 && sem_destroy(&semaphore) == 0);
}

void to_process(Task& task) {
  const int count = task.random.from(1, 10);
  for (int i = 0; i < count; ++i) {
    const int number = task.random.from(1, 1000);
    const bool handler = task.random.one_in(2);
    (handler ? sent : to_collect) += static_cast<uint64_t>(number);
    queue_to_process(!handler ? awaited_by_collector() : task.random.one_in(2) ? restarting() : ending(), number);
    dawdle(task.random);
  }
}

void awaited(Task& task) {
  const sigset_t set = set_of(awaited_by_thread());
  siginfo_t info;
  const timespec a_moment{0, 1'000'000};
  task.saw(static_cast<uint64_t>(again([&] { return sigtimedwait(&set, &info, &a_moment); })));
  const int count = task.random.from(1, 4);
  Thread waiting([&] {
    for (int i = 0; i < count; ++i) {
      CHECK(again([&] { return sigwaitinfo(&set, &info); }) == awaited_by_thread() && info.si_code == SI_QUEUE);
      task.saw(static_cast<uint64_t>(info.si_value.sival_int));
    }
  });
  Random values(task.random.next());
  for (int i = 0; i < count; ++i) {
    queue_to(waiting.handle(), awaited_by_thread(), values.below(1000));
    dawdle(values);
  }
  waiting.join();
  // Any thread's descriptor reads anybody's signal; there are as many reads as signals.
  const sigset_t to_read = set_of(awaited_by_descriptor());
  const int fd = signalfd(-1, &to_read, SFD_CLOEXEC);
  queue_to_process(awaited_by_descriptor(), 1);
  signalfd_siginfo read_info;
  CHECK(again([&] { return read(fd, &read_info, sizeof read_info); }) == sizeof read_info);
  CHECK(read_info.ssi_signo == static_cast<uint32_t>(awaited_by_descriptor()) && read_info.ssi_int == 1);
  CHECK(close(fd) == 0);
}

void jump(Task& task) {
  std::atomic<bool> ready{false};
  const int times = task.random.from(1, 3);
  Thread jumper([&] {
    sigjmp_buf here;
    jump_to = &here;
    for (std::atomic<int> i = 0; i < times; ++i) {
      if (sigsetjmp(here, 1) == 0) {
        ready = true;
        for (;;) pause();
      }
      CHECK(!ready);
    }
  });
  for (int i = 0; i < times; ++i) {
    while (!ready) sched_yield();
    dawdle(task.random);
    ready = false;
    CHECK(pthread_kill(jumper.handle(), jumping()) == 0);
  }
  CHECK(jumper.join());
}

void timers(Task& task) {
  const itimerspec in_a_moment{{}, {0, task.random.from(100'000, 2'000'000)}};
  const clockid_t clock = task.random.one_in(2) ? CLOCK_MONOTONIC : CLOCK_REALTIME;
  std::atomic<int> times{0};
  sem_t fired;
  CHECK(sem_init(&fired, 0, 0) == 0);
  sigevent event{};
  event.sigev_value.sival_ptr = &times;
  switch (task.random.below(2)) {
    case 0:
      event.sigev_notify = SIGEV_THREAD;
      event.sigev_value.sival_ptr = &fired;
      event.sigev_notify_function = [](sigval value) { CHECK(sem_post(static_cast<sem_t*>(value.sival_ptr)) == 0); };
      break;
    case 1:
      event.sigev_notify = SIGEV_SIGNAL;
      event.sigev_signo = of_timers();
      break;
    default:
      event.sigev_notify = SIGEV_THREAD_ID;
      event.sigev_signo = of_timers();
      event._sigev_un._tid = gettid();
  }
  timer_t timer;
  CHECK(timer_create(clock, &event, &timer) == 0 && timer_settime(timer, 0, &in_a_moment, nullptr) == 0);
  if (event.sigev_notify == SIGEV_THREAD) {
    CHECK(again([&] { return sem_wait(&fired); }) == 0);
  } else {
    while (times == 0) pause_for(100);
  }
  CHECK(timer_delete(timer) == 0 && sem_destroy(&fired) == 0);
}

}  // namespace stress::signals
