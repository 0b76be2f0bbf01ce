#include "hub/children.hpp"

#include <new>

#include "base/sys.hpp"
#include "runtime.hpp"

namespace guv {

Children::Watch* Children::join(const Question& question) {
  Critical critical;
  SpinGuard guard(lock_);
  Watch* free = nullptr;
  for (Watch& watch : watches_) {
    const bool in_use = watch.askers_ || watch.asking_.load(std::memory_order_acquire);
    if (in_use && watch.question_ == question) {
      ++watch.askers_;
      return &watch;
    }
    if (!in_use && !free) free = &watch;
  }
  if (!free) return nullptr;
  free->question_ = question;
  free->askers_ = 1;
  return free;
}

void Children::leave(Watch& watch) {
  Critical critical;
  SpinGuard guard(lock_);
  --watch.askers_;
}

bool Children::ask(Watch& watch) {
  // The helper says that it has finished before it unparks: who sees it asking is among those that it will unpark.
  if (watch.asking_.exchange(true)) return true;
  if (runtime().offload().post(watch.trip_, &wait_on_helper, &watch)) return true;
  watch.asking_.store(false);
  return false;
}

void Children::wait_on_helper(void* argument) {
  auto& watch = *static_cast<Watch*>(argument);
  const Question question = watch.question_;
  siginfo_t info;
  // Where there is no helper the askers come back for nothing, and find that out for themselves.
  while (watch.trip_.helper && sys::call(SYS_waitid, question.type, question.id, &info, question.options | WNOWAIT, nullptr) == -EINTR) {
  }
  watch.asking_.store(false);
  runtime().lot().unpark_all(&watch);
}

void Children::after_fork() {
  lock_.reset();
  for (Watch& watch : watches_) new (&watch) Watch;
}

}  // namespace guv
