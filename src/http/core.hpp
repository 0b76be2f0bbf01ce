// What the connections of a server share, and what its listener does.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/list.hpp"
#include "guv/detail/lock.hpp"
#include "guv/http.hpp"
#include "guv/net.hpp"

namespace guv::inline v1::http {

class __attribute__((visibility("hidden"))) Server::Core : public std::enable_shared_from_this<Server::Core> {
 public:
  Core(int listener, App app, Options options);
  ~Core();

  void run();
  void stop(std::chrono::milliseconds grace);
  bool stopping() const { return stop_at_ != GUV_NEVER; }
  std::size_t connections() const { return count_; }
  void log_error(std::string_view what) const;

  const Options options;
  const App app;

 private:
  void accept_until_stopped();
  void wait_for_room();
  void accept_one();
  void serve(Socket client, const Address& peer);
  void end(Connection* connection);
  void finish();
  bool wait_until_empty(std::int64_t until);

  const int listener_;
  const int wake_fd_;  // stop() to run(); a signal handler can write to it
  std::atomic<std::int64_t> stop_at_{GUV_NEVER};
  std::atomic<std::size_t> count_{0};

  detail::Lock lock_;  // of the list
  List<Connection> list_;
};

}  // namespace guv::inline v1::http
